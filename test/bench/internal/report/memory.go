package report

import (
	"context"
	"flag"
	"fmt"
	"io"

	"orderbell/test/bench/internal/trial"
)

// Memory measures the memory of a gateway in a container that serves many busy tenants, and prints the result.
func Memory(ctx context.Context, args []string, progress io.Writer) error {
	flags := flag.NewFlagSet("bench memory", flag.ContinueOnError)
	var plan trial.Busy
	flags.IntVar(&plan.Tenants, "tenants", 5000, "number of tenants, each with a stream")
	flags.IntVar(&plan.Events, "events", 12, "number of events of each tenant")
	flags.IntVar(&plan.Recipients, "recipients", 300, "number of recipients of each event")
	flags.IntVar(&plan.Limit, "limit", 2<<30, "the container's memory in bytes")
	binary := flags.String("gateway", "bin/sse-gateway", "the gateway's program")
	if err := flags.Parse(args); err != nil {
		return err //nolint:wrapcheck // it names the flag
	}
	say := func(line string) { _, _ = fmt.Fprintln(progress, line) }
	found, err := (&trial.Trial{Binary: *binary}).Busy(ctx, plan, say)
	if err != nil {
		return err //nolint:wrapcheck // an error of this module
	}
	say(fmt.Sprintf("%d tenants, %d events each with %d recipients: resident memory %.0f MiB at first, %.0f at most, %.0f at the end",
		plan.Tenants, plan.Events, plan.Recipients, mebibytes(found.Empty), mebibytes(found.Most), mebibytes(found.End)))
	say(fmt.Sprintf("counted %.0f MiB of a budget of %.0f MiB; %d logs dropped, %d cut; %d events arrived at their streams, %d streams were closed",
		mebibytes(found.Counted), mebibytes(found.Budget), found.Dropped, found.Trimmed, found.Came, found.Closed))
	if found.Most > plan.Limit || found.Counted > found.Budget || found.Closed > 0 {
		return fmt.Errorf("the gateway exceeds its memory: %+v", found)
	}
	return nil
}
