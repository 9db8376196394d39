package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderbell/cmd/orderbell/internal/console"
	"orderbell/cmd/orderbell/internal/load"
	"orderbell/cmd/orderbell/internal/progress"
	"orderbell/cmd/orderbell/internal/seed"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/outbox"
	"orderbell/internal/store/userstore"
)

type loadOrdersOptions struct {
	streamOptions

	plan       load.OrderPlan
	newTenants int
	duration   time.Duration
	spike      int
	asJSON     bool
	svg        string
}

// mostSpike bounds --spike, because the command keeps every order in memory.
const mostSpike = 1_000_000

func newLoadOrdersCommand() *cobra.Command {
	var o loadOrdersOptions
	cmd := &cobra.Command{
		Use:   "orders (--tenant TENANT[,TENANT]... | --new-tenants N)",
		Short: "Create and pay orders of many tenants and measure when they are visible",
		Long: `Create and pay orders of many tenants, at a rate or as a spike, and follow one stream of each tenant. The report has the time
of each answer, the time from a request to its event on the stream, the longest queue, and what limited the run. Exit status 1:
a request was refused, or an accepted change did not reach the stream.

A request that has to wait for one of --in-flight counts from its planned start ("late"), so a slow API is not hidden.
--new-tenants creates the tenants load-1 to load-N if they do not exist. Each has one user of each role, who gets in-app
notifications and no mail. With a database (DATABASE_URL, or that of orderbell dev) the report shows the outbox apart from the
queues after it.

` + streamWords,
		Example: `  orderbell load orders --tenant demo --rate 20 --for 30s
  orderbell load orders --new-tenants 100 --spike 5000 --svg spike.svg`,
		Args:    noArguments,
		PreRunE: func(cmd *cobra.Command, _ []string) error { return o.check(cmd) },
		RunE:    work(func(cmd *cobra.Command, _ []string) error { return o.run(cmd) }),
	}
	o.define(cmd)
	flags := cmd.Flags()
	flags.Lookup("tenant").Usage = "ids of the tenants, separated by commas"
	flags.IntVar(&o.newTenants, "new-tenants", 0, "number of tenants to create for the load, instead of --tenant")
	flags.Float64Var(&o.plan.Rate, "rate", 10, "orders per second over all tenants")
	flags.DurationVar(&o.duration, "for", 10*time.Second, "how long to create orders at --rate")
	flags.IntVar(&o.spike, "spike", 0, "number of orders to create as fast as they are answered, instead of --rate")
	flags.BoolVar(&o.plan.Pay, "pay", true, "pay each order as soon as it is created")
	flags.IntVar(&o.plan.InFlight, "in-flight", 64, "the most orders that wait for an answer at the same time")
	flags.DurationVar(&o.plan.Patience, "patience", time.Minute, "how long to wait for an answer, and for events at the end")
	flags.BoolVar(&o.asJSON, "json", false, "print the report as JSON")
	flags.StringVar(&o.svg, "svg", "", "file to write a plot of the run to")
	return cmd
}

func (o *loadOrdersOptions) check(cmd *cobra.Command) error {
	switch {
	case o.newTenants < 0 || o.newTenants > 10_000:
		return fmt.Errorf("--new-tenants must be from 1 to 10000, not %d", o.newTenants)
	case (o.tenant == "") == (o.newTenants == 0):
		return errors.New("give either --tenant or --new-tenants")
	case o.spike < 0 || o.spike > mostSpike:
		return fmt.Errorf("--spike must be from 1 to %d, not %d", mostSpike, o.spike)
	case o.spike > 0 && (cmd.Flags().Changed("rate") || cmd.Flags().Changed("for")):
		return errors.New("give either --spike or --rate and --for")
	case !(o.plan.Rate >= leastOrders && o.plan.Rate <= 10*mostOrders): // rejects NaN too
		return fmt.Errorf("--rate must be from %g to %d, not %g", leastOrders, 10*mostOrders, o.plan.Rate)
	case o.duration <= 0 || o.duration > mostDuration:
		return fmt.Errorf("--for must be more than 0 and at most %s, not %s", mostDuration, o.duration)
	case o.plan.Patience <= 0 || o.plan.Patience > mostDuration:
		return fmt.Errorf("--patience must be more than 0 and at most %s, not %s", mostDuration, o.plan.Patience)
	case o.plan.InFlight < 1 || o.plan.InFlight > 10_000:
		return fmt.Errorf("--in-flight must be from 1 to 10000, not %d", o.plan.InFlight)
	}
	if o.plan.Orders = o.spike; o.spike > 0 {
		o.plan.Rate = 0
	} else if o.plan.Orders = max(1, int(o.plan.Rate*o.duration.Seconds())); o.plan.Orders > mostSpike {
		return fmt.Errorf("--rate %g --for %s makes %d orders: the most is %d", o.plan.Rate, o.duration, o.plan.Orders, mostSpike)
	}
	if o.newTenants > 0 {
		return nil
	}
	o.plan.Tenants = strings.Split(o.tenant, ",")
	if len(o.plan.Tenants) > 1 && o.tokenFile != "" {
		return errors.New("--token-file holds a token of one tenant: give one --tenant")
	}
	return nil
}

func (o *loadOrdersOptions) run(cmd *cobra.Command) (err error) {
	origin, err := o.origin()
	if err != nil {
		return err
	}
	pool, err := o.database(cmd.Context())
	if err != nil {
		return err
	}
	if pool != nil {
		defer pool.Close()
		box := outbox.New(pool)
		o.plan.Unsent = func(ctx context.Context) (int64, error) {
			unsent, _, err := box.Backlog(ctx)
			return unsent, err
		}
	}
	o.plan.Origin, o.plan.Progress = origin, progress.On(cmd.ErrOrStderr())
	o.plan.Token = func(tenant string) (string, error) {
		of := o.streamOptions
		of.tenant = tenant
		tokens, err := of.tokens()
		if err != nil {
			return "", err
		}
		return tokens("orderbell-load")
	}
	report, err := o.plan.Run(cmd.Context())
	if err != nil {
		return err
	}
	if o.asJSON {
		err = printJSON(cmd.OutOrStdout(), report)
	} else {
		err = printOrderLoad(cmd, report)
	}
	if o.svg != "" {
		err = errors.Join(err, o.plot(report))
	}
	if bad := report.Problem(); bad != "" {
		err = errors.Join(err, errors.New(bad))
	}
	return err
}

// database returns the database, nil without DATABASE_URL. --new-tenants needs it, and the report uses it.
func (o *loadOrdersOptions) database(ctx context.Context) (*database.Pool, error) {
	if err := adoptDevStack(o.data, "DATABASE_URL"); err != nil {
		if o.newTenants > 0 {
			return nil, fmt.Errorf("--new-tenants: %w", err)
		}
		return nil, nil //nolint:nilnil // the report does without
	}
	var cfg database.Config
	if err := service.Load(&cfg); err != nil {
		return nil, err
	}
	pool, err := database.Open(ctx, cfg, "orderbell-load")
	if err != nil {
		return nil, err
	}
	businesses, err := seed.Apply(ctx, userstore.New(pool), seed.Load(o.newTenants))
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("--new-tenants: %w", err)
	}
	for _, b := range businesses {
		o.plan.Tenants = append(o.plan.Tenants, b.Tenant.ID)
	}
	return pool, nil
}

func (o *loadOrdersOptions) plot(r load.OrderReport) (err error) {
	file, err := os.Create(o.svg)
	if err != nil {
		return fileError("svg", o.svg, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return r.SVG(file)
}

func printOrderLoad(cmd *cobra.Command, r load.OrderReport) error {
	return table(cmd, func(w io.Writer) {
		row(w, "accepted", fmt.Sprintf("%d of %d requests of %d tenants in %s (%.0f/s)", r.Accepted, r.Planned, r.Tenants,
			console.Seconds(r.Sent), float64(r.Accepted)/max(r.Sent.Seconds(), 0.001)))
		row(w, "late", quantiles(r.Late))
		row(w, "answered", quantiles(r.Answer))
		row(w, "shown", quantiles(r.Shown))
		row(w, "visible", quantiles(r.Visible))
		queue := fmt.Sprintf("%d events at most, empty %s after the last answer", r.Queue, console.Seconds(r.Drained))
		if r.Unsent >= 0 {
			queue += fmt.Sprintf("; the outbox held %d at most", r.Unsent)
		}
		row(w, "queue", queue)
		row(w, "missing", fmt.Sprintf("%d events; %d times a stream was told to load the snapshot, which had %d more events", r.Missing, r.Resyncs, r.Reloaded))
		row(w, "bottleneck", r.Limit)
	})
}
