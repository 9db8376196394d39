//go:build cluster

package cluster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// report collects the figures. It is written after each step, so that a failed run has figures, too.
type report struct {
	folder string
	rows   []string // of the table
	plots  []string
}

func (r *report) figure(t *testing.T, what, format string, args ...any) {
	t.Helper()
	value := fmt.Sprintf(format, args...)
	t.Logf("%s: %s", what, value)
	r.rows = append(r.rows, fmt.Sprintf("| %s | %s |", what, value))
	r.write(t)
}

func (r *report) write(t *testing.T) {
	t.Helper()
	text := "# Orderbell on Kubernetes with Knative\n\nWritten by `make test-cluster` at " +
		time.Now().UTC().Format(time.RFC3339) + ".\n\n| what | figure |\n| --- | --- |\n" +
		strings.Join(r.rows, "\n") + "\n"
	for _, p := range r.plots {
		text += fmt.Sprintf("\n![%s](%s)\n", strings.TrimSuffix(p, ".svg"), p)
	}
	if err := os.WriteFile(filepath.Join(r.folder, "cluster.md"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// seconds formats a duration for the table.
func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// plot draws ready pods of each function, and events waiting, over time.
func (r *report) plot(t *testing.T, name, title string, samples []sample, waiting []point) {
	t.Helper()
	if len(samples) == 0 {
		t.Fatal("no samples of the pods")
	}
	const width, height, left, bottom, top = 900, 360, 60, 40, 50
	begin, end := samples[0].at, samples[len(samples)-1].at
	if len(waiting) > 0 && waiting[len(waiting)-1].at.After(end) {
		end = waiting[len(waiting)-1].at
	}
	mostPods, mostWaiting := 1, 1
	programs := map[string]bool{}
	for _, s := range samples {
		for program, n := range s.ready {
			programs[program] = true
			mostPods = max(mostPods, n)
		}
	}
	for _, p := range waiting {
		mostWaiting = max(mostWaiting, p.n)
	}
	x := func(at time.Time) float64 {
		return left + float64(width-2*left)*at.Sub(begin).Seconds()/max(end.Sub(begin).Seconds(), 1)
	}
	y := func(n, most int) float64 {
		return height - bottom - float64(height-bottom-top)*float64(n)/float64(most)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/><text x="%d" y="20" font-size="15">%s</text>`+"\n", width, height, left, title)
	for n := 0; n <= mostPods; n += max(1, mostPods/8) {
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%d</text>`+"\n",
			left, width-left, y(n, mostPods), y(n, mostPods), left-8, y(n, mostPods)+4, n)
	}
	step := time.Duration(max(5, int(end.Sub(begin).Seconds()/10)/5*5)) * time.Second
	for at := begin; !at.After(end); at = at.Add(step) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%.0f s</text>`+"\n", x(at), height-bottom+18, at.Sub(begin).Seconds())
	}
	if len(waiting) > 0 {
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">grey: up to %d events waiting</text>`+"\n", width-left, 20, mostWaiting)
		fmt.Fprintf(&b, `<polygon fill="#0002" points="%.1f,%.1f`, x(waiting[0].at), y(0, 1))
		for _, p := range waiting {
			fmt.Fprintf(&b, " %.1f,%.1f", x(p.at), y(p.n, mostWaiting))
		}
		fmt.Fprintf(&b, ` %.1f,%.1f"/>`+"\n", x(waiting[len(waiting)-1].at), y(0, 1))
	}
	colours := []string{"#c2410c", "#1d4ed8", "#15803d", "#7e22ce", "#b45309", "#0e7490", "#be123c", "#525252"}
	names := make([]string, 0, len(programs))
	for program := range programs {
		names = append(names, program)
	}
	slices.Sort(names)
	for i, program := range names {
		colour := colours[i%len(colours)]
		fmt.Fprintf(&b, `<text x="%d" y="38" fill="%s">%s</text><polyline fill="none" stroke-width="2" stroke="%s" points="`, left+i*115, colour, program, colour)
		before := 0
		for _, s := range samples {
			n := s.ready[program]
			fmt.Fprintf(&b, "%.1f,%.1f %.1f,%.1f ", x(s.at), y(before, mostPods), x(s.at), y(n, mostPods))
			before = n
		}
		fmt.Fprintf(&b, `%.1f,%.1f"/>`+"\n", x(end), y(before, mostPods))
	}
	b.WriteString("</svg>\n")
	if err := os.WriteFile(filepath.Join(r.folder, name), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(r.plots, name) {
		r.plots = append(r.plots, name)
	}
	r.write(t)
}

// point is the number of events that waited at one time.
type point struct {
	at time.Time
	n  int
}
