package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"orderbell/cmd/orderbell/internal/console"
	"orderbell/cmd/orderbell/internal/load"
	"orderbell/cmd/orderbell/internal/progress"
	"orderbell/cmd/orderbell/internal/watch"
	"orderbell/internal/paths"
)

func newLoadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Put load on a running Orderbell and report the result",
		Args:  noArguments,
		RunE:  missingSubcommand,
	}
	cmd.AddCommand(newLoadSSECommand(), newLoadOrdersCommand())
	return cmd
}

// Bounds of a load, far beyond what one machine opens and how long someone waits for the report.
const (
	mostClients  = 1_000_000
	mostDuration = 7 * 24 * time.Hour
)

type loadSSEOptions struct {
	streamOptions

	plan    load.Plan
	perUser int
	orders  float64
	asJSON  bool
}

func newLoadSSECommand() *cobra.Command {
	var o loadSSEOptions
	cmd := &cobra.Command{
		Use:   "sse --tenant TENANT",
		Short: "Open many streams of a tenant and measure them",
		Long: `Open many streams of a tenant and measure connection times, events, latencies and gaps: events that one client received
and another missed. Exit status 1: a client was refused or did not connect, or there are gaps.

Latency starts when the order changes, by the clock of order-api.

` + streamWords,
		Example: `  orderbell load sse --tenant demo --clients 500 --orders 20
  orderbell load sse --tenant demo --clients 5000 --for 5m --json`,
		Args: noArguments,
		PreRunE: func(*cobra.Command, []string) error {
			for _, flag := range []struct {
				name  string
				value int
			}{
				{"--clients", o.plan.Clients},
				{"--connect-at-once", o.plan.AtOnce},
				{"--per-user", o.perUser},
			} {
				if flag.value < 1 || flag.value > mostClients {
					return fmt.Errorf("%s must be from 1 to %d, not %d", flag.name, mostClients, flag.value)
				}
			}
			for _, flag := range []struct {
				name  string
				value time.Duration
				least time.Duration
			}{
				{"--for", o.plan.For, time.Millisecond},
				{"--settle", o.plan.Settle, 0},
				{"--connect-timeout", o.plan.Patience, time.Millisecond},
			} {
				if flag.value < flag.least || flag.value > mostDuration {
					return fmt.Errorf("%s must be from %s to %s, not %s", flag.name, flag.least, mostDuration, flag.value)
				}
			}
			if o.orders != 0 && !(o.orders >= leastOrders && o.orders <= mostOrders) { // rejects NaN too
				return fmt.Errorf("--orders must be 0, or from %g to %d, not %g", leastOrders, mostOrders, o.orders)
			}
			return nil
		},
		RunE: work(func(cmd *cobra.Command, _ []string) error { return o.run(cmd) }),
	}
	o.define(cmd)
	require(cmd, "tenant")
	flags := cmd.Flags()
	flags.IntVar(&o.plan.Clients, "clients", 100, "number of streams")
	flags.DurationVar(&o.plan.For, "for", 10*time.Second, "how long to measure")
	flags.DurationVar(&o.plan.Settle, "settle", 3*time.Second, "how long to wait at the end for events that are still on their way")
	flags.DurationVar(&o.plan.Patience, "connect-timeout", time.Minute, "how long to wait until all streams are connected")
	flags.IntVar(&o.plan.AtOnce, "connect-at-once", 64, "how many streams connect at the same time")
	flags.IntVar(&o.perUser, "per-user", 25, "streams per user, if the command makes the tokens")
	flags.Float64Var(&o.orders, "orders", 0, "orders to create per second meanwhile, at /api/orders of the same address")
	flags.BoolVar(&o.asJSON, "json", false, "print the report as JSON")
	return cmd
}

func (o *loadSSEOptions) run(cmd *cobra.Command) error {
	origin, err := o.origin()
	if err != nil {
		return err
	}
	tokens, err := o.tokens()
	if err != nil {
		return err
	}
	o.plan.Stream = func(client int) watch.Options {
		return o.stream(origin, tokens, fmt.Sprintf("orderbell-load-%d", client/o.perUser))
	}
	o.plan.Progress = progress.On(cmd.ErrOrStderr())
	var failed error
	if o.orders > 0 {
		o.plan.Connected = func(ctx context.Context) { failed = createOrders(ctx, origin, tokens, o.orders) }
	}
	report, err := o.plan.Run(cmd.Context())
	if err != nil {
		return err
	}
	if o.asJSON {
		err = printJSON(cmd.OutOrStdout(), report)
	} else {
		err = printLoad(cmd, report)
	}
	if bad := report.Problem(); bad != "" {
		err = errors.Join(err, errors.New(bad))
	}
	return errors.Join(err, failed)
}

// Bounds of the rate in orders per second. The upper one exists because each order waits for the answer to the one
// before.
const (
	leastOrders = 0.01
	mostOrders  = 1000
)

// createOrders creates orders until ctx ends, or one cannot be created.
func createOrders(ctx context.Context, origin string, tokens func(string) (string, error), rate float64) error {
	token, err := tokens("orderbell-load")
	if err != nil {
		return err
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, origin+paths.Orders,
			bytes.NewReader([]byte(`{"reference":"load","total_amount":100,"currency":"EUR"}`)))
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(r)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("create an order: %w", err)
		}
		_ = response.Body.Close() // the status is checked
		if response.StatusCode != http.StatusCreated {
			return fmt.Errorf("create an order: status %d", response.StatusCode)
		}
	}
}

func printLoad(cmd *cobra.Command, r load.Report) error {
	return table(cmd, func(w io.Writer) {
		row(w, "connected", fmt.Sprintf("%d of %d in %s (%.0f a second)", r.Connected, r.Clients,
			console.Seconds(r.ConnectFor), float64(r.Connected)/r.ConnectFor.Seconds()))
		row(w, "cut", fmt.Sprintf("%d times; %d times the gateway asked to come back later", r.Cuts, r.Overloaded))
		rate := 0.0
		if r.Measured > 0 {
			rate = float64(r.Deliveries) / r.Measured.Seconds()
		}
		row(w, "delivered", fmt.Sprintf("%d of %d events in %s (%.0f a second), %d more than once", r.Deliveries, r.Events,
			console.Seconds(r.Measured), rate, r.Repeated))
		if r.Deliveries > 0 {
			row(w, "since the change", quantiles(r.Latency))
			row(w, "since the first", quantiles(r.Spread))
		}
		row(w, "missing", fmt.Sprintf("%d, to %d clients; %d times one was sent to the snapshot", r.Gaps, r.GapsOf, r.Resyncs))
	})
}

func quantiles(q load.Quantiles) string {
	return fmt.Sprintf("p50 %s, p90 %s, p99 %s, p99.9 %s, max %s", console.Seconds(q.P50), console.Seconds(q.P90),
		console.Seconds(q.P99), console.Seconds(q.P999), console.Seconds(q.Most))
}
