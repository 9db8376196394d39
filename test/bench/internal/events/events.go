// Package events compares the event path with its upper bounds: a function with pgbench and the same statement, with
// redis-benchmark and the same script, and with a handler that sends one statement after the other. It also measures all programs
// together, from the POST of an order to its client.
//
// It needs the servers of test/services/up, and pgbench and redis-benchmark from their packages.
package events

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	bench "orderbell/test/bench/internal/report"
)

// Options say what to measure.
type Options struct {
	Rounds   int
	For      time.Duration // of each measurement
	InFlight int           // concurrent events
	Conns    int           // connections to PostgreSQL
	Bin      string        // folder of the programs
	Before   string        // folder of the programs of an earlier release; "" for none
	Out      string        // the document to write
	Command  string        // the command line of this run, for the document
}

// Main measures, and writes the document.
func Main(ctx context.Context, args []string, log io.Writer) error {
	o := Options{Command: "make bench-events"}
	short, only := false, ""
	flags := flag.NewFlagSet("events", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.IntVar(&o.Rounds, "rounds", 3, "alternating rounds")
	flags.DurationVar(&o.For, "for", 10*time.Second, "length of each measurement")
	flags.IntVar(&o.InFlight, "in-flight", 20, "concurrent events")
	flags.IntVar(&o.Conns, "conns", 3, "connections of a function to PostgreSQL")
	flags.StringVar(&o.Bin, "bin", "bin", "folder of the programs")
	flags.StringVar(&o.Before, "before", "", "folder of an earlier release's programs, to compare")
	flags.StringVar(&o.Out, "out", "", "document to write (default .report/bench-events.md)")
	flags.StringVar(&only, "only", "", "the one subject to measure")
	flags.BoolVar(&short, "short", false, "each figure once, small")
	if err := flags.Parse(args); err != nil {
		return err //nolint:wrapcheck // the flag is named
	}
	if short {
		o.Rounds, o.For = 1, 2*time.Second
	}
	if o.Out == "" {
		o.Out = filepath.Join(".report", "bench-events.md")
	}
	servers, err := serversOf(os.Getenv)
	if err != nil {
		return err
	}
	var found []figure
	for round := range o.Rounds {
		_, _ = fmt.Fprintf(log, "round %d of %d\n", round+1, o.Rounds)
		for _, trial := range trials(o) {
			if only != "" && trial.name != only {
				continue
			}
			figures, err := trial.run(ctx, servers, o)
			if err != nil {
				return fmt.Errorf("%s: %w", trial.name, err)
			}
			for _, f := range figures {
				_, _ = fmt.Fprintf(log, "  %-34s %-32s %s\n", f.what, f.of, f.show())
			}
			found = append(found, figures...)
		}
	}
	if err := os.MkdirAll(filepath.Dir(o.Out), 0o755); err != nil { //nolint:gosec // a report is for all to read
		return fmt.Errorf("write the document: %w", err)
	}
	return os.WriteFile(o.Out, document(found, o), 0o644) //nolint:gosec,wrapcheck // as above; the path is in the error
}

// trial is one measurement of one subject.
type trial struct {
	name string
	run  func(context.Context, servers, Options) ([]figure, error)
}

func trials(o Options) []trial {
	all := []trial{
		{"order-paid", function(program{name: "order-paid", bin: o.Bin})},
		{"one statement after the other", function(program{name: serialName, bin: o.Bin})},
		{"pgbench", pgbench},
		{"redis-benchmark", redisBenchmark},
		{"cold start", coldStart},
		{"all programs", together},
	}
	if o.Before != "" {
		all = slices.Insert(all, 1, trial{"order-paid before", function(program{name: "order-paid", bin: o.Before, label: "order-paid, " + filepath.Base(o.Before)})})
	}
	return all
}

// figure is one number of one round.
type figure struct {
	what  string // events a second, p99, …
	of    string // order-paid, pgbench, …
	value float64
	unit  string // /s, ms, %
}

func (f figure) show() string {
	switch {
	case f.value >= 100:
		return fmt.Sprintf("%.0f %s", f.value, f.unit)
	case f.value >= 10:
		return fmt.Sprintf("%.1f %s", f.value, f.unit)
	}
	return fmt.Sprintf("%.2f %s", f.value, f.unit)
}

// document returns the table of all figures, with the rounds' median and spread.
func document(found []figure, o Options) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `# The event path, and what bounds it

Written by `+"`%s`"+` on %s.

Real PostgreSQL (fsync on), Redis with its log of writes, and Kafka share two cores with everything else, so ratios between lines
count and not the numbers. A cell is the median of %d alternating round(s) of %s each and, in brackets, the least and the most.
A function has %d events in flight over %d connections to PostgreSQL; each event has 4 recipients.

| | | median (least–most) |
|---|---|---:|
`, o.Command, bench.Machine(), o.Rounds, o.For, o.InFlight, o.Conns)
	type line struct{ what, of string }
	var order []line
	values := map[line][]figure{}
	for _, f := range found {
		l := line{f.what, f.of}
		if values[l] == nil {
			order = append(order, l)
		}
		values[l] = append(values[l], f)
	}
	slices.SortStableFunc(order, func(a, b line) int {
		return slices.IndexFunc(found, func(f figure) bool { return f.what == a.what }) - slices.IndexFunc(found, func(f figure) bool { return f.what == b.what })
	})
	for _, l := range order {
		fs := values[l]
		slices.SortFunc(fs, func(a, b figure) int { return cmp.Compare(a.value, b.value) })
		cell := fs[len(fs)/2].show()
		if len(fs) > 1 {
			cell += " (" + fs[0].show() + "–" + fs[len(fs)-1].show() + ")"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", l.what, l.of, cell)
	}
	ratios(&b, values[line{perSecond, "order-paid"}], map[string][]figure{
		"pgbench": values[line{perSecond, "pgbench, the same statement"}], "one statement after the other": values[line{perSecond, serialLabel}],
	})
	return []byte(b.String())
}

const perSecond = "events a second"

func ratios(b *strings.Builder, ours []figure, others map[string][]figure) {
	if len(ours) == 0 {
		return
	}
	b.WriteString("\n| order-paid's events a second | ratio of the medians |\n|---|---:|\n")
	for _, name := range []string{"pgbench", "one statement after the other"} {
		if theirs := others[name]; len(theirs) > 0 {
			fmt.Fprintf(b, "| to %s | %.2f |\n", name, ours[len(ours)/2].value/theirs[len(theirs)/2].value)
		}
	}
}
