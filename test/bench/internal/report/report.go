package report

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"orderbell/test/bench/internal/trial"
)

// figure is one column of the table and one panel of the plot.
type figure struct {
	name   string
	better string // more or less
	of     func(trial.Figures) float64
	show   func(float64) string
}

func figures() []figure {
	latency := func(of func(trial.Figures) time.Duration) func(trial.Figures) float64 {
		return func(f trial.Figures) float64 { return of(f).Seconds() * 1000 }
	}
	return []figure{
		{"memory per idle connection", "less", func(f trial.Figures) float64 { return f.MemoryPerConn / 1024 }, unit("%.2f KiB")},
		{"connects per second", "more", func(f trial.Figures) float64 { return f.Connects }, thousands},
		{"deliveries per CPU second", "more", func(f trial.Figures) float64 { return f.PerCPU }, thousands},
		{"steady p50", "less", latency(func(f trial.Figures) time.Duration { return f.Steady.P50 }), millis},
		{"steady p99", "less", latency(func(f trial.Figures) time.Duration { return f.Steady.P99 }), millis},
		{"steady p99.9", "less", latency(func(f trial.Figures) time.Duration { return f.Steady.P999 }), millis},
		{"burst, deliveries per second", "more", func(f trial.Figures) float64 { return f.Burst }, thousands},
		{"burst p50", "less", latency(func(f trial.Figures) time.Duration { return f.BurstLatency.P50 }), millis},
		{"burst p99", "less", latency(func(f trial.Figures) time.Duration { return f.BurstLatency.P99 }), millis},
	}
}

func unit(format string) func(float64) string {
	return func(v float64) string { return fmt.Sprintf(format, v) }
}

func thousands(v float64) string {
	if v < 10_000 {
		return fmt.Sprintf("%.1f k", v/1000)
	}
	return fmt.Sprintf("%.0f k", v/1000)
}

func millis(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.1f ms", v)
	}
	return fmt.Sprintf("%.0f ms", v)
}

// spread is the median, minimum and maximum over the rounds.
type spread struct{ median, least, most float64 }

func spreadOf(values []float64) spread {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return spread{median: (v[(n-1)/2] + v[n/2]) / 2, least: v[0], most: v[n-1]}
}

func (s spread) show(format func(float64) string) string {
	if s.least == s.most {
		return format(s.median)
	}
	return fmt.Sprintf("%s (%s–%s)", format(s.median), strings.TrimRight(format(s.least), " kKiBms"), strings.TrimRight(format(s.most), " kKiBms"))
}

// rounds are the figures by server and round.
type rounds struct {
	names  []string
	byName map[string][]trial.Figures
}

func collect(found []trial.Figures) rounds {
	r := rounds{byName: map[string][]trial.Figures{}}
	for _, f := range found {
		if r.byName[f.Name] == nil {
			r.names = append(r.names, f.Name)
		}
		r.byName[f.Name] = append(r.byName[f.Name], f)
	}
	return r
}

func (r rounds) values(name string, f figure) []float64 {
	var values []float64
	for _, one := range r.byName[name] {
		values = append(values, f.of(one))
	}
	return values
}

// ratio compares the gateway, round by round, with the best of others.
func (r rounds) ratio(f figure, others []string) spread {
	var ratios []float64
	for i, ours := range r.values(trial.Gateway, f) {
		best := math.NaN()
		for _, name := range others {
			v := r.values(name, f)[i]
			if math.IsNaN(best) || f.better == "more" && v > best || f.better == "less" && v < best {
				best = v
			}
		}
		ratios = append(ratios, ours/best)
	}
	return spreadOf(ratios)
}

// peers are the usual alternatives.
func (r rounds) peers() []string {
	return slices.DeleteFunc(slices.Clone(r.names), func(name string) bool { return name == trial.Gateway || name == floor })
}

const floor = "floor"

// markdown writes the tables, with the plot beside them.
func (r rounds) markdown(size trial.Size, command, plot string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# The gateway beside other servers of event streams\n\nWritten by `%s` on %s.\n\n", command, Machine())
	fmt.Fprintf(&b, `Each server is a process of its own, measured by the same clients in %d alternating round(s); a cell has the rounds' median and,
in brackets, the least and the most. Idle: %d streams on which nothing happens, resident memory after %s. Steady: %d clients,
%d messages a second of 200 bytes for %s; what a delivery took counts from when its message was due. Burst: %d messages for %d
clients as fast as the server takes them, all due when the burst begins. Servers and clients share the machine's cores.

`, size.Rounds, size.IdleClients, size.Settle, size.SteadyClients, size.SteadyRate, size.SteadyFor, size.BurstMessages, size.BurstClients)
	head, rule := "| |", "| --- |"
	for _, name := range r.names {
		head += " " + name + " |"
		rule += " ---: |"
	}
	fmt.Fprintln(&b, head)
	fmt.Fprintln(&b, rule)
	for _, f := range figures() {
		fmt.Fprintf(&b, "| %s |", f.name)
		for _, name := range r.names {
			fmt.Fprintf(&b, " %s |", spreadOf(r.values(name, f)).show(f.show))
		}
		fmt.Fprintln(&b)
	}
	fmt.Fprint(&b, "| deliveries that did not come |")
	for _, name := range r.names {
		fmt.Fprintf(&b, " %s |", lost(r.byName[name]))
	}
	fmt.Fprintln(&b)
	if slices.Contains(r.names, trial.Gateway) && len(r.names) > 1 {
		r.comparison(&b)
	}
	fmt.Fprintf(&b, "\n![The same figures as bars](%s)\n", filepath.Base(plot))
	return b.Bytes()
}

func lost(all []trial.Figures) string {
	missing, repeated, closed := 0, 0, 0
	for _, f := range all {
		missing, repeated, closed = missing+f.Missing, repeated+f.Repeated, closed+f.Closed
	}
	text := "none"
	if missing > 0 {
		text = fmt.Sprint(missing)
	}
	if closed > 0 {
		text += fmt.Sprintf(", %d streams closed", closed)
	}
	if repeated > 0 {
		text += fmt.Sprintf(", %d duplicated", repeated)
	}
	return text
}

func (r rounds) comparison(b *bytes.Buffer) {
	times := unit("%.2f")
	var lines []string
	add := func(what string, s spread) { lines = append(lines, fmt.Sprintf("| %s | %s |", what, s.show(times))) }
	peers := r.peers()
	for _, f := range figures() {
		if len(peers) > 0 {
			add(f.name+", of the best peer's", r.ratio(f, peers))
		}
		if f.name == "deliveries per CPU second" && slices.Contains(r.names, floor) {
			add(f.name+", of the floor's", r.ratio(f, []string{floor}))
		}
	}
	var redis []float64
	for _, f := range r.byName[trial.Gateway] {
		redis = append(redis, f.RedisShare)
	}
	add("CPU time of Redis at the steady rate, of the gateway's", spreadOf(redis))
	fmt.Fprintf(b, `
%s against the best peer of the same round (the floor, which only writes, is no peer):

| ratio | |
| --- | ---: |
%s
`, trial.Gateway, strings.Join(lines, "\n"))
}

// machine describes the machine of the measurement.
// Machine describes the machine of the measurement.
func Machine() string {
	model := "unknown processor"
	if raw, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(raw)) {
			if rest, ok := strings.CutPrefix(line, "model name"); ok {
				model = strings.TrimSpace(strings.TrimLeft(rest, "\t: "))
				break
			}
		}
	}
	var name unix.Utsname
	kernel := ""
	if unix.Uname(&name) == nil {
		kernel = ", Linux " + unix.ByteSliceToString(name.Release[:])
	}
	return fmt.Sprintf("%d cores (%s)%s, %s, %s", runtime.NumCPU(), model, kernel, runtime.Version(), time.Now().UTC().Format(time.DateOnly))
}

// Render returns the report of the figures as Markdown and SVG.
func Render(found []trial.Figures, size trial.Size) (markdown, svg string) {
	r := collect(found)
	return string(r.markdown(size, "make bench-gateway", "bench-gateway.svg")), string(r.svg())
}
