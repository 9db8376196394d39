package devstack

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"orderbell/cmd/orderbell/internal/auditstore"
	"orderbell/cmd/orderbell/internal/load"
	"orderbell/cmd/orderbell/internal/opspage"
	"orderbell/cmd/orderbell/internal/status"
	"orderbell/cmd/orderbell/internal/traces"
	"orderbell/cmd/orderbell/internal/verify"
	"orderbell/cmd/orderbell/internal/watch"
	"orderbell/internal/audit"
	"orderbell/internal/auth"
	"orderbell/internal/bus"
	"orderbell/internal/feed"
	"orderbell/internal/origin"
	"orderbell/internal/store/database"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/store/outbox"
	"orderbell/internal/tracing"
	"orderbell/internal/user"
)

const (
	// mostBroken is how long the operations page may keep a part broken.
	mostBroken = time.Minute
	// spikeAtOnce is how many payments of a spike wait for an answer at the same time.
	spikeAtOnce = 8
	// spikePatience is how long a payment may wait for its answer.
	spikePatience = 30 * time.Second
)

// operations is the operations page. It has a port of its own, so that no other page shares its origin.
type operations struct {
	url    string
	page   *opspage.Page
	server *origin.Server
	ends   ends
}

func (s *Stack) startOperations(ctx context.Context, cfg config) (_ *operations, err error) {
	o := &operations{}
	defer func() {
		if err != nil {
			o.end()
		}
	}()
	cfg.Database.MaxConns = 4
	pool, err := database.Open(ctx, cfg.Database, "orderbell-operations")
	if err != nil {
		return nil, err
	}
	o.ends.add(pool.Close)
	watchers, err := feed.Open(cfg.Redis)
	if err != nil {
		return nil, err
	}
	o.ends.add(func() { _ = watchers.Close() }) // it was only read
	letters, err := o.ends.office(cfg.Bus, pool)
	if err != nil {
		return nil, err
	}
	queues, err := o.lags(cfg.Bus)
	if err != nil {
		return nil, err
	}
	tenants := make([]string, len(s.Businesses))
	for i, b := range s.Businesses {
		tenants[i] = b.Tenant.ID
	}
	store := auditstore.New(pool)
	log := slog.New(slog.NewTextHandler(s.opts.Console.Voice("operations"), nil))
	page := opspage.Config{
		Origin: s.Origin, Mailpit: s.MailpitURL, Tenants: tenants, Store: store, Letters: letters, Most: mostBroken, Log: log,
		Probes: append(append(s.probes(), databaseQueues(pool)...), queues...),
		Parts:  s.breakable(watchers),
		Stream: func(tenant string) watch.Options {
			return watch.Options{Origin: s.Origin, Heartbeat: 5 * time.Second, Renew: func() (string, error) {
				return s.serviceToken("orderbell-tail", tenant, user.Viewer)
			}}
		},
		Spike: func(ctx context.Context, payments int, progress load.Progress) (load.OrderReport, error) {
			plan := load.OrderPlan{
				Origin: s.Origin, Tenants: tenants[:1], Orders: payments, Pay: true, Blind: true, InFlight: spikeAtOnce,
				Patience: spikePatience, Progress: progress,
				Token: func(tenant string) (string, error) { return s.serviceToken("orderbell-load", tenant, user.Cashier) },
			}
			return plan.Run(ctx)
		},
		Verify: func(ctx context.Context, since time.Time) ([]verify.Report, error) {
			return s.verifyAll(ctx, store, watchers, cfg.Redis.ReplayTTL.Duration(), tenants, since)
		},
	}
	if s.spans != nil {
		page.Traces = func(n int) [][]traces.Span { return s.spans.collector.Newest(n, tracing.SpanSend) }
	}
	if o.page, err = opspage.New(page); err != nil {
		return nil, err
	}
	listeners, err := origin.Listen(ctx, 0)
	if err != nil {
		return nil, err
	}
	o.url, o.server = origin.Address(listeners), origin.Serve(o.page, listeners, log)
	return o, nil
}

// serviceToken returns a token of one of the service accounts of AUTH_SERVICE_ACCOUNTS.
func (s *Stack) serviceToken(account, tenant string, role user.Role) (string, error) {
	now := time.Now()
	return s.Tokens.Auth.Sign(auth.Principal{UserID: account, TenantID: tenant, Roles: []user.Role{role}, Expires: now.Add(TokenTTL)}, now)
}

// lags returns probes of the consumer groups, named lag of GROUP.
func (o *operations) lags(cfg bus.Config) ([]status.Probe, error) {
	var probes []status.Probe
	for _, group := range Groups() {
		admin, err := bus.NewAdmin(cfg) // one each: calls of one admin wait for each other
		if err != nil {
			return nil, err
		}
		o.ends.add(admin.Close)
		probes = append(probes, status.Probe{Kind: status.Queue, Name: "lag of " + group, Ask: func(ctx context.Context) (status.Finding, error) {
			lag, err := admin.Lag(ctx, group)
			var waiting int64
			for _, n := range lag {
				waiting += n
			}
			return status.Lag(waiting, 0), err // without the age of messages: it is too slow to read every second
		}})
	}
	return probes, nil
}

func databaseQueues(pool *database.Pool) []status.Probe {
	return []status.Probe{
		{Kind: status.Queue, Name: "unsent", Ask: func(ctx context.Context) (status.Finding, error) {
			n, oldest, err := outbox.New(pool).Backlog(ctx)
			return status.Outbox(n, oldest), err
		}},
		{Kind: status.Queue, Name: "due mails", Ask: func(ctx context.Context) (status.Finding, error) {
			n, since, err := eventstore.New(pool, "").Waiting(ctx)
			return status.Mails(int64(n), sinceOf(since)), err
		}},
	}
}

func sinceOf(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(time.Since(t), 0)
}

// probes returns one probe of each program.
func (s *Stack) probes() []status.Probe {
	var probes []status.Probe
	for _, name := range slices.Sorted(maps.Keys(s.programs.urls)) {
		probes = append(probes, status.Ready(name, s.programs.urls[name].String()))
	}
	return probes
}

// breakable returns the parts that the page may break. It may not break servers that the environment names.
func (s *Stack) breakable(watchers *feed.Feed) []opspage.Part {
	redis := opspage.Part{Name: "redis", Title: "Redis", Why: "REDIS_URL names a server of your own"}
	if server := s.stores.redis; server != nil {
		redis.Why, redis.Break, redis.Repair, redis.Ready = "", server.Break, server.Repair, watchers.Ping
	}
	smtp := opspage.Part{Name: "smtp", Title: "the mail server", Why: "SMTP_URL names a server of your own"}
	if server := s.stores.mailpit; server != nil {
		smtp.Why, smtp.Break, smtp.Repair, smtp.Ready = "", server.Hold, released(server.Release), server.WaitReady
	}
	function := opspage.Part{Name: "function", Title: "the function " + orderPaid}
	running := s.programs.named(orderPaid)
	function.Break, function.Repair, function.Ready = running.Hold, released(running.Release), running.WaitReady
	return []opspage.Part{redis, smtp, function}
}

func released(release func()) func() error {
	return func() error { release(); return nil }
}

// verifyAll compares the stores for each tenant. No event may be in transit, because there is no settling time.
func (s *Stack) verifyAll(ctx context.Context, store *auditstore.Store, watchers *feed.Feed, ttl time.Duration, tenants []string, since time.Time) ([]verify.Report, error) {
	var reports []verify.Report
	for _, tenant := range tenants {
		auditor := verify.Auditor{Store: store, Feed: watchers, Options: verify.Options{
			Window: audit.Window{Since: since, TenantID: tenant}, ReplayTTL: ttl, Most: 20,
		}}
		if s.MailpitURL != "" {
			auditor.Mailbox = &verify.Mailbox{URL: s.MailpitURL}
		}
		report, err := auditor.Run(ctx)
		if err != nil {
			return nil, err
		}
		reports = append(reports, report)
	}
	return reports, nil
}

// stop closes the page and repairs what it has broken.
func (o *operations) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, streamPatience)
	defer cancel()
	err := o.server.Stop(ctx)
	o.end()
	return err
}

func (o *operations) end() {
	if o.page != nil {
		o.page.Close()
	}
	o.ends.run()
}
