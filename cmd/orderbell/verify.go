package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"orderbell/cmd/orderbell/internal/auditstore"
	"orderbell/cmd/orderbell/internal/devstack"
	"orderbell/cmd/orderbell/internal/progress"
	"orderbell/cmd/orderbell/internal/verify"
	"orderbell/internal/audit"
	"orderbell/internal/feed"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/userstore"
	"orderbell/internal/store/verdicts"
	"orderbell/internal/text"
	"orderbell/internal/user"
)

type verifyOptions struct {
	data, tenant            string
	since, until, feedSince *moment
	window, settle          time.Duration
	noRedis, asJSON, keep   bool
	most                    int
}

func newVerifyCommand() *cobra.Command {
	o := verifyOptions{since: newMoment(), until: newMoment(), feedSince: newMoment()}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check all stores for lost or duplicated events",
		Long: `Check all stores for lost or duplicated events.

For the events of a time window, the command compares orders, outbox, event records, notifications, mails, the streams in
Redis and, with MAILPIT_URL, the mailbox. It reads page by page. The only write: a run over all tenants saves its result for
orderbell status and the metrics (--save=false does not).

A slow store is read in smaller pages. If a store is down, the checks that need it are skipped, and the report says so.
Exit status 1: events are lost or duplicated (the first ones are named), or a check was skipped.

The command uses DATABASE_URL and REDIS_URL or, if they are not set, the stores and the mailbox of the orderbell dev that runs
on the data directory. SSE_REPLAY_BUFFER_TTL_SECONDS must have the functions' value.`,
		Example: `  orderbell verify
  orderbell verify --window 1h --tenant demo
  orderbell verify --since 2026-11-24T09:00:00Z --until 2026-11-24T12:00:00Z --json
  orderbell verify --feed-since 5m      # Redis lost some of its memory five minutes ago`,
		Args: noArguments,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case cmd.Flags().Changed("window") && (!o.since.IsZero() || !o.until.IsZero()):
				return errors.New("--window ends now: leave it out, or leave out --since and --until")
			case o.window <= 0:
				return fmt.Errorf("--window must be more than 0, not %s", o.window)
			case o.settle < 0:
				return fmt.Errorf("--settle must be 0 or more, not %s", o.settle)
			case o.most < 0:
				return fmt.Errorf("--limit must be 0 or more, not %d", o.most)
			case !o.since.IsZero() && !o.until.IsZero() && !o.since.Before(o.until.Time):
				return errors.New("--since must be before --until")
			}
			return nil
		},
		RunE: work(func(cmd *cobra.Command, _ []string) error { return o.run(cmd) }),
	}
	flags := cmd.Flags()
	flags.DurationVar(&o.window, "window", 24*time.Hour, "check the events of this duration, up to now")
	flags.Var(o.since, "since", "check events since then: a duration, such as 2h, or an RFC 3339 time")
	flags.Var(o.until, "until", "check events before then (default: now)")
	flags.StringVar(&o.tenant, "tenant", "", "only this tenant")
	flags.DurationVar(&o.settle, "settle", 30*time.Second, "ignore changes younger than this: they may be on their way")
	flags.Var(o.feedSince, "feed-since", "when Redis last lost data: older events may be missing from it")
	flags.BoolVar(&o.noRedis, "no-redis", false, "do not check the streams in Redis")
	flags.BoolVar(&o.keep, "save", true, "save the result of a run over all tenants")
	flags.IntVar(&o.most, "limit", 20, "number of offenders to name")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON")
	flags.StringVar(&o.data, "data", defaultData, "data directory of orderbell dev")
	return cmd
}

// options converts o to the options of the audit.
func (o *verifyOptions) options() verify.Options {
	since := o.since.Time
	if since.IsZero() {
		end := o.until.Time
		if end.IsZero() {
			end = time.Now()
		}
		since = end.Add(-o.window)
	}
	return verify.Options{
		Window: audit.Window{Since: since, Until: o.until.Time, TenantID: o.tenant}, Settle: o.settle,
		FeedSince: o.feedSince.Time, Most: o.most,
	}
}

func (o *verifyOptions) run(cmd *cobra.Command) (err error) {
	stores := []string{"DATABASE_URL", "REDIS_URL"}
	if o.noRedis {
		stores = stores[:1]
	}
	if err := adoptDevStack(o.data, stores...); err != nil {
		return err
	}
	var cfg struct {
		Database database.Config
		Mailpit  devstack.Config
	}
	if err := service.Load(&cfg); err != nil {
		return err
	}
	cfg.Database.MaxConns = 1
	pool, err := database.Open(cmd.Context(), cfg.Database, "orderbell-verify")
	if err != nil {
		return err
	}
	defer pool.Close()
	var schema *database.SchemaError
	if err := database.Check(cmd.Context(), pool); errors.As(err, &schema) {
		return err // every other error is in the report
	}
	if o.tenant != "" {
		if err := userstore.New(pool).HasTenant(cmd.Context(), o.tenant); errors.Is(err, user.ErrNoTenant) {
			return noTenant(o.tenant)
		}
	}
	auditor := verify.Auditor{Store: auditstore.New(pool), Options: o.options(), Progress: progress.On(cmd.ErrOrStderr())}
	if cfg.Mailpit.MailpitURL != "" {
		auditor.Mailbox = &verify.Mailbox{URL: cfg.Mailpit.MailpitURL}
	}
	if !o.noRedis {
		var redis feed.Config
		if err := service.Load(&redis); err != nil {
			return err
		}
		watchers, err := feed.Open(redis)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, watchers.Close()) }()
		auditor.Feed, auditor.Options.ReplayTTL = watchers, redis.ReplayTTL.Duration()
	}
	began := time.Now()
	report, err := auditor.Run(cmd.Context())
	if err != nil {
		return err
	}
	if o.keep && o.tenant == "" {
		if err := verdicts.New(pool).Save(cmd.Context(), verdict(report, began)); err != nil {
			report.Notes = append(report.Notes, "not saved for orderbell status: "+err.Error())
		}
	}
	if o.asJSON {
		err = printJSON(cmd.OutOrStdout(), report)
	} else {
		err = printReport(cmd, report)
	}
	switch {
	case err != nil:
		return err
	case report.Total > 0:
		return fmt.Errorf("%d offenders: the report names them", report.Total)
	case report.Skipped > 0:
		return fmt.Errorf("%d of %d checks could not run: the report says why", report.Skipped, len(report.Checks))
	}
	return nil
}

func verdict(r verify.Report, began time.Time) audit.Verdict {
	v := audit.Verdict{BeganAt: began, EndedAt: time.Now(), Since: r.Since, Until: r.Until, Offenders: r.Total}
	for _, c := range r.Checks {
		if c.Skipped != "" {
			v.Skipped = append(v.Skipped, c.Name)
		}
	}
	return v
}

func printReport(cmd *cobra.Command, r verify.Report) error {
	return table(cmd, func(w io.Writer) {
		whose := "all tenants"
		if r.TenantID != "" {
			whose = "tenant " + r.TenantID
		}
		_, _ = fmt.Fprintf(w, "events of %s from %s to %s\n\n", whose, r.Since.Format(time.RFC3339), r.Until.Format(time.RFC3339))
		row(w, "CHECK", "LOOKED AT", "ON THE WAY", "OFFENDERS")
		for _, c := range r.Checks {
			offenders := number(c.Offenders)
			if c.Skipped != "" {
				offenders += "  SKIPPED"
			}
			row(w, c.Name, number(c.Looked), number(c.OnTheWay), offenders)
		}
		m := r.Mails
		_, _ = fmt.Fprintf(w, "\ne-mails: %d sent, %d due, %d deferred, %d failed, %d suppressed; %d attempts of unknown outcome, %d copies beyond the first\n",
			m.Sent, m.Due, m.Deferred, m.Failed, m.Suppressed, m.Ambiguous, m.Again)
		for _, note := range r.Notes {
			_, _ = fmt.Fprintf(w, "· %s\n", text.Terminal(note))
		}
		for _, c := range r.Checks {
			if c.Skipped != "" {
				_, _ = fmt.Fprintf(w, "· %s skipped: %s\n", c.Name, c.Skipped)
			}
		}
		switch {
		case r.Total == 0 && r.Skipped == 0:
			_, _ = fmt.Fprintln(w, "nothing is lost, and nothing is duplicated")
			return
		case r.Total == 0:
			_, _ = fmt.Fprintln(w, "the other checks found nothing that is lost or duplicated")
			return
		}
		_, _ = fmt.Fprintf(w, "\nthe first %d of %d offenders:\n", len(r.Offenders), r.Total)
		row(w, "CHECK", "TENANT", "ORDER", "EVENT", "USER", "PROBLEM")
		for _, o := range r.Offenders {
			row(w, o.Check, o.TenantID, o.OrderID, o.EventID, o.UserID, o.Problem)
		}
	})
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
