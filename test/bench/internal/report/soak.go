package report

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"time"

	"orderbell/test/bench/internal/trial"
)

// mostGrowth is the largest permitted growth of memory from the second third of a soak to the last.
const mostGrowth = 0.05

// Soak runs a soak with the given arguments and prints the result.
func Soak(ctx context.Context, args []string, progress io.Writer) error {
	flags := flag.NewFlagSet("bench soak", flag.ContinueOnError)
	var plan trial.Soak
	flags.DurationVar(&plan.For, "for", 15*time.Minute, "how long")
	flags.IntVar(&plan.Clients, "clients", 10_000, "number of clients")
	flags.IntVar(&plan.Guests, "guests", 1000, "number of clients that come and go")
	flags.DurationVar(&plan.Stay, "stay", 5*time.Second, "average duration of a guest's stream")
	flags.DurationVar(&plan.Every, "every", 500*time.Millisecond, "time between two messages")
	binary := flags.String("gateway", "bin/sse-gateway", "the gateway's program")
	crowds := flags.Int("crowds", 2, "number of processes for the clients that stay")
	if err := flags.Parse(args); err != nil {
		return err //nolint:wrapcheck // it names the flag
	}
	if plan.Guests < 0 || plan.Clients <= plan.Guests || plan.For < plan.Every || plan.Every <= 0 || plan.Stay < time.Second {
		return fmt.Errorf("a soak needs a duration and clients: %+v", plan)
	}
	t := trial.Trial{Binary: *binary, Crowds: *crowds}
	say := func(line string) { _, _ = fmt.Fprintln(progress, line) }
	say(fmt.Sprintf("%d clients, of whom %d come and go, for %s, a message each %s", plan.Clients, plan.Guests, plan.For, plan.Every))
	s, err := t.Soak(ctx, plan, say)
	if err != nil {
		return err //nolint:wrapcheck // an error of this module
	}
	say(fmt.Sprintf("%d messages: %d deliveries to those who stay, %d missing, %d repeated, %d streams closed",
		s.Messages, s.Deliveries, s.Missing, s.Repeated, s.Closed))
	say(fmt.Sprintf("%d visits of guests, who resumed where they were: %d messages skipped or out of order, %d resyncs",
		s.Visits, s.Skipped, s.Resyncs))
	if len(s.Memory) > 0 {
		say(fmt.Sprintf("resident memory %.1f to %.1f MiB, %.1f at the end; the last third has %+.1f %% of the one before",
			mebibytes(slices.Min(s.Memory)), mebibytes(slices.Max(s.Memory)), mebibytes(s.Memory[len(s.Memory)-1]), 100*s.Growth()))
	}
	return s.Judge(mostGrowth) //nolint:wrapcheck // an error of this module
}

func mebibytes(n int) float64 { return float64(n) / (1 << 20) }
