package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/cmd/orderbell/internal/devstack"
	"orderbell/cmd/orderbell/internal/status"
	"orderbell/internal/bus"
	"orderbell/internal/feed"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/store/outbox"
	"orderbell/internal/store/verdicts"
)

type statusOptions struct {
	data     string
	programs map[string]string
	groups   []string
	limit    time.Duration
	asJSON   bool
}

// statusConfig has the values of the flags in a cluster.
type statusConfig struct {
	Programs addresses `envconfig:"STATUS_PROGRAMS"` // NAME=URL with commas between them
	Groups   []string  `envconfig:"STATUS_GROUPS"`
}

// addresses are programs by name.
type addresses map[string]string

// Decode implements envconfig.Decoder.
func (a *addresses) Decode(text string) error {
	*a = addresses{}
	for one := range strings.SplitSeq(text, ",") {
		name, address, ok := strings.Cut(strings.TrimSpace(one), "=")
		if !ok || name == "" || address == "" {
			return fmt.Errorf("--program must be NAME=URL, not %q", one)
		}
		(*a)[name] = address
	}
	return nil
}

func newStatusCommand() *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what is not well: programs, stores, queues, the last verify",
		Long: `Show what is not well: programs, stores, queues, the last verify.

The command asks all parts at the same time. It prints one line for each: whether it is ready and, if not, why; what waits in
each queue and for how long. It works while parts are down. Exit status 1: a part is not well.

The command uses DATABASE_URL, REDIS_URL, KAFKA_BROKERS and SMTP_URL or, if they are not set, the stores and programs of the
orderbell dev that runs on the data directory. Elsewhere STATUS_PROGRAMS or --program says where the programs are, and STATUS_GROUPS
or --group which consumer groups they have; a function that has scaled to zero starts when it is asked.`,
		Example: `  orderbell status
  orderbell status --json | jq '.parts[] | select(.state != "ok")'
  orderbell status --program sse-gateway=http://sse-gateway:8080 --program outbox-relay=http://outbox-relay:8080`,
		Args: noArguments,
		PreRunE: func(*cobra.Command, []string) error {
			if o.limit <= 0 {
				return fmt.Errorf("--timeout must be more than 0, not %s", o.limit)
			}
			return nil
		},
		RunE: work(func(cmd *cobra.Command, _ []string) error { return o.run(cmd) }),
	}
	flags := cmd.Flags()
	flags.StringToStringVar(&o.programs, "program", nil, "a program and its address, NAME=URL; may be repeated")
	flags.StringSliceVar(&o.groups, "group", nil, "consumer groups of the topic of events (default: those of orderbell dev)")
	flags.DurationVar(&o.limit, "timeout", 3*time.Second, "time that each part has to answer")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON")
	flags.StringVar(&o.data, "data", defaultData, "data directory of orderbell dev")
	return cmd
}

func (o *statusOptions) run(cmd *cobra.Command) error {
	var cfg statusConfig
	if err := service.Load(&cfg); err != nil {
		return err
	}
	programs := map[string]string{}
	maps.Copy(programs, cfg.Programs)
	maps.Copy(programs, o.programs)
	if len(o.groups) == 0 {
		o.groups = cfg.Groups
	}
	state, err := devstack.ReadState(o.data)
	if err == nil && len(programs) == 0 {
		for name, p := range state.Programs {
			programs[name] = p.URL
		}
	}
	stores := []string{"DATABASE_URL", "REDIS_URL", "KAFKA_BROKERS", "SMTP_URL"}
	if err == nil {
		err = adoptDevStack(o.data, stores...)
	}
	asked := len(programs)
	for _, name := range stores {
		if os.Getenv(name) != "" {
			asked++
		}
	}
	if asked == 0 {
		return fmt.Errorf("%w: start it, set DATABASE_URL, REDIS_URL, KAFKA_BROKERS or SMTP_URL, or name a --program", err)
	}
	var probes []status.Probe
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		probes = append(probes, status.Ready(name, programs[name]))
	}
	kafka, letters, closeKafka := o.kafka()
	defer closeKafka()
	postgres, waiting, closePostgres := o.postgres(cmd.Context())
	defer closePostgres()
	redis, closeRedis := redisProbe()
	defer closeRedis()
	probes = append(probes, postgres, redis, kafka[0], smtpProbe())
	probes = append(append(append(probes, waiting[0]), kafka[1:]...), waiting[1], letters, waiting[2])
	report := status.Run(cmd.Context(), o.limit, probes)
	if o.asJSON {
		err = printJSON(cmd.OutOrStdout(), report)
	} else {
		err = printParts(cmd, report)
	}
	if err == nil && !report.Well {
		err = errors.New("some parts are not well: their lines say why")
	}
	return err
}

// notAsked returns probes of parts whose address is missing or invalid.
func notAsked(variable string, err error, probes ...status.Probe) []status.Probe {
	for i := range probes {
		probes[i].Ask, probes[i].Why = nil, variable+" is not set"
		if os.Getenv(variable) != "" {
			probes[i].Ask = func(context.Context) (status.Finding, error) { return status.Finding{}, err }
		}
	}
	return probes
}

func (o *statusOptions) postgres(ctx context.Context) (store status.Probe, queues []status.Probe, end func()) {
	probes := []status.Probe{
		{Kind: status.Store, Name: "postgresql"},
		{Kind: status.Queue, Name: "outbox", Needs: "postgresql"},
		{Kind: status.Queue, Name: "due mails", Needs: "postgresql"},
		{Kind: status.Audit, Name: "verify", Needs: "postgresql"},
	}
	var cfg database.Config
	err := service.Load(&cfg)
	var pool *database.Pool
	if err == nil {
		cfg.MaxConns, cfg.ConnectTimeout, cfg.StatementTimeout = int32(len(probes)), o.limit, o.limit //nolint:gosec // four
		pool, err = database.Open(ctx, cfg, "orderbell-status")
	}
	if err != nil {
		probes = notAsked("DATABASE_URL", err, probes...)
		return probes[0], probes[1:], func() {}
	}
	probes[0].Ask = func(ctx context.Context) (status.Finding, error) { return status.Finding{}, database.Check(ctx, pool) }
	probes[1].Ask = func(ctx context.Context) (status.Finding, error) {
		n, oldest, err := outbox.New(pool).Backlog(ctx)
		return status.Outbox(n, oldest), err
	}
	probes[2].Ask = func(ctx context.Context) (status.Finding, error) {
		n, since, err := eventstore.New(pool, "").Waiting(ctx)
		return status.Mails(int64(n), age(since)), err
	}
	probes[3].Ask = func(ctx context.Context) (status.Finding, error) {
		v, known, err := verdicts.New(pool).Last(ctx)
		return status.Verdict(v, known, time.Now()), err
	}
	return probes[0], probes[1:], pool.Close
}

func age(since time.Time) time.Duration {
	if since.IsZero() {
		return 0
	}
	return max(time.Since(since), 0)
}

func redisProbe() (probe status.Probe, end func()) {
	probe = status.Probe{Kind: status.Store, Name: "redis"}
	var cfg feed.Config
	err := service.Load(&cfg)
	var watchers *feed.Feed
	if err == nil {
		watchers, err = feed.Open(cfg)
	}
	if err != nil {
		return notAsked("REDIS_URL", err, probe)[0], func() {}
	}
	probe.Ask = func(ctx context.Context) (status.Finding, error) { return status.Finding{}, watchers.Ping(ctx) }
	return probe, func() { _ = watchers.Close() } // it only held connections
}

// kafka returns the store and the lag of each group, and the open dead letters.
func (o *statusOptions) kafka() (probes []status.Probe, letters status.Probe, end func()) {
	probes = []status.Probe{{Kind: status.Store, Name: "kafka"}}
	groups := o.groups
	if len(groups) == 0 {
		groups = devstack.Groups()
	}
	for _, g := range groups {
		probes = append(probes, status.Probe{Kind: status.Queue, Name: "consumer lag of " + g, Needs: "kafka"})
	}
	letters = status.Probe{Kind: status.Queue, Name: "open dead letters", Needs: "kafka"}
	var cfg bus.Config
	err := service.Load(&cfg)
	var admins []*bus.Admin
	for range probes {
		var admin *bus.Admin
		if err == nil {
			admin, err = bus.NewAdmin(cfg) // one each: calls of one admin wait for each other
		}
		admins = append(admins, admin)
	}
	if err != nil {
		probes = notAsked("KAFKA_BROKERS", err, probes...)
		return probes, notAsked("KAFKA_BROKERS", err, letters)[0], func() {}
	}
	probes[0].Ask = func(ctx context.Context) (status.Finding, error) { return status.Finding{}, admins[0].Check(ctx) }
	for i, g := range groups {
		probes[i+1].Ask = func(ctx context.Context) (status.Finding, error) {
			w, err := admins[i+1].Waiting(ctx, g)
			return status.Lag(w.Messages, age(w.Oldest)), err
		}
	}
	letters.Ask = func(ctx context.Context) (status.Finding, error) {
		reader, err := bus.NewReader(cfg)
		if err != nil {
			return status.Finding{}, err
		}
		defer reader.Close()
		office := deadletter.Office{Topics: deadletter.Topics{Events: cfg.Topic, DeadLetters: cfg.DeadLetterTopic}, Reader: reader}
		open, err := office.List(ctx, deadletter.Filter{Open: true})
		if err != nil || len(open) == 0 {
			return status.DeadLetters(0, 0), err
		}
		return status.DeadLetters(int64(len(open)), age(open[0].BuriedAt)), nil
	}
	return probes, letters, func() {
		for _, a := range admins {
			go a.Close() // may wait for a call in progress; its result is not needed
		}
	}
}

func smtpProbe() status.Probe {
	probe := status.Probe{Kind: status.Store, Name: "smtp"}
	address := os.Getenv("SMTP_URL")
	if address == "" {
		return notAsked("SMTP_URL", nil, probe)[0]
	}
	probe.Ask = func(ctx context.Context) (status.Finding, error) { return status.Greets(ctx, address) }
	return probe
}

func printParts(cmd *cobra.Command, r status.Report) error {
	return table(cmd, func(w io.Writer) {
		row(w, "PART", "STATE", "WAITING", "OLDEST", "WHY")
		for _, p := range r.Parts {
			waiting, oldest := "", ""
			if p.Waiting != nil {
				waiting = number(*p.Waiting)
			}
			if p.Oldest != nil {
				oldest = (time.Duration(*p.Oldest) * time.Second).String()
			}
			row(w, p.Name, string(p.State), waiting, oldest, cmp.Or(p.Why, ""))
		}
	})
}
