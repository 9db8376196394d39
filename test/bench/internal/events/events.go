// Package events compares the event path with its upper bounds: a function with pgbench and the same statement, with
// redis-benchmark and the same script, and with a handler that sends one statement after the other; the relay with Kafka's
// producer-perf; and both with Watermill. It also measures all programs together, from the POST of an order to its client, and from
// its transaction to its client beside Centrifugo. [Growth] measures a function as its tables grow.
//
// It needs the servers of test/services/up, and pgbench and redis-benchmark from their packages.
package events

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Options say what to measure.
type Options struct {
	Rounds   int
	For      time.Duration // of each measurement
	InFlight int           // concurrent events
	Conns    int           // connections to PostgreSQL
	Bin      string        // folder of the programs
	Before   string        // folder of the programs of an earlier release; "" for none
	Out      string        // the document to write, and its plot
	Peers    bool          // with the peers that are programs of their own
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
	flags.StringVar(&only, "only", "", "the subjects to measure, with commas between them")
	flags.BoolVar(&short, "short", false, "each figure once, small")
	if err := flags.Parse(args); err != nil {
		return err //nolint:wrapcheck // the flag is named
	}
	o.Peers = !short
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
	chosen, err := choose(trials(o), only)
	if err != nil {
		return err
	}
	var found []figure // a run that is ended keeps its rounds
	for round := range o.Rounds {
		_, _ = fmt.Fprintf(log, "round %d of %d\n", round+1, o.Rounds)
		for _, trial := range chosen {
			figures, err := trial.run(ctx, servers, o)
			if err != nil {
				return fmt.Errorf("%s: %w", trial.name, err)
			}
			for _, f := range figures {
				_, _ = fmt.Fprintf(log, "  %-34s %-32s %s\n", f.what, f.of, f.show())
			}
			found = append(found, figures...)
		}
		if err := write(o.Out, document(found, o), panels(found)); err != nil {
			return err
		}
	}
	return nil
}

// trial is one measurement of one subject.
type trial struct {
	name string
	run  func(context.Context, servers, Options) ([]figure, error)
}

// choose returns the trials that only names, with commas between them; all if it is empty. A name that no trial has is an error.
func choose(all []trial, only string) (chosen []trial, err error) {
	if only == "" {
		return all, nil
	}
	for _, name := range strings.Split(only, ",") {
		i := slices.IndexFunc(all, func(t trial) bool { return t.name == name })
		if i < 0 {
			return nil, fmt.Errorf("-only: this run measures no %q", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func trials(o Options) []trial {
	all := []trial{
		{"order-paid", function(program{name: "order-paid", bin: o.Bin})},
		{"one statement after the other", function(program{name: serialName, bin: o.Bin})},
		{"pgbench", pgbench},
		{"redis-benchmark", redisBenchmark},
		{"Watermill's router", watermillRouter},
		{"relay", relay},
		{"Watermill's forwarder", watermillForwarder},
		{"cold start", coldStart},
		{"all programs", together},
	}
	if o.Peers {
		all = append(all, trial{"commits", commits}, trial{"Centrifugo", centrifugo})
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
