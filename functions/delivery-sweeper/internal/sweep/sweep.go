// Package sweep does periodic work: it sends due mails, creates the partitions of event_records for the coming days,
// and removes old rows.
//
// Every part may run at any time, on several instances at once, and may be interrupted anywhere. The next sweep
// continues.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"orderbell/functions/internal/mail/delivery"
	"orderbell/internal/tracing"
	"orderbell/internal/user"
)

// Config has the time limit of a sweep and the retention of rows.
type Config struct {
	// Timeout ends a sweep. No e-mail is claimed in the last quarter of it.
	Timeout time.Duration `envconfig:"SWEEP_TIMEOUT" default:"50s"`
	// KeepSent is how long sent outbox rows are kept, for `orderbell verify` and `orderbell explain`.
	KeepSent time.Duration `envconfig:"OUTBOX_KEEP_SENT" default:"24h"`
	// NotificationDays and MailDays are how long notifications and finished mails stay: longer than event records, which
	// `orderbell verify` compares with them.
	NotificationDays int `envconfig:"NOTIFICATIONS_RETENTION_DAYS" default:"90"`
	MailDays         int `envconfig:"MAIL_RETENTION_DAYS" default:"90"`
	// AuditDays is how long the audit trail keeps records of actions.
	AuditDays int `envconfig:"AUDIT_RETENTION_DAYS" default:"400"`
}

const (
	// daysAhead is the number of partitions that are created ahead. Sweeps may fail for a week before an event has to
	// create its own partition.
	daysAhead = 7
	// spareDays are kept beyond the retention, for an event whose age was checked just before midnight.
	spareDays = 1
	// keepKeys is how long a retried POST gets its first answer again.
	keepKeys = 24 * time.Hour
	// refusalDays is how long the audit trail keeps refusals: long enough to investigate an attack, which may add a thousand rows
	// a day.
	refusalDays = 90
	// batch keeps each delete short: it holds locks, and its WAL is shipped in one go.
	batch = 1000
)

// Days are the partitions of event_records.
type Days interface {
	EnsureDays(ctx context.Context, first, last time.Time) (int, error)
	ForgetDays(ctx context.Context, first time.Time) (int, error)
	ForgetNotifications(ctx context.Context, before time.Time, limit int) (int64, error)
	ForgetMails(ctx context.Context, before time.Time, limit int) (int64, error)
}

// Outbox has events that were sent.
type Outbox interface {
	ForgetSent(ctx context.Context, before time.Time, limit int) (int64, error)
}

// Keys are the idempotency keys of order-api.
type Keys interface {
	ForgetKeys(ctx context.Context, before time.Time, limit int) (int64, error)
}

// OptOuts are the used unsubscribe links and the sent confirmation mails.
type OptOuts interface {
	ForgetOptOuts(ctx context.Context, before time.Time, limit int) (int64, error)
	// ForgetConfirmationMails removes the records of sent confirmation mails.
	ForgetConfirmationMails(ctx context.Context, before time.Time, limit int) (int64, error)
}

// Trail is the audit trail, and the revocations of tokens.
type Trail interface {
	ForgetRecords(ctx context.Context, before time.Time, limit int) (int64, error)
	ForgetRefusals(ctx context.Context, before time.Time, limit int) (int64, error)
	ForgetRevocations(ctx context.Context, before time.Time, limit int) (int64, error)
}

// Mail sends what is due.
type Mail interface {
	Sweep(ctx context.Context, workers int, stopAt time.Time) (delivery.Tally, error)
}

// Sweeper is safe for concurrent use.
type Sweeper struct {
	cfg       Config
	retention int // days of event_records
	workers   int // mails in flight at once
	days      Days
	outbox    Outbox
	keys      Keys
	optouts   OptOuts
	trail     Trail
	mail      Mail
	log       *slog.Logger
	removed   metric.Int64Counter
}

// New returns a sweeper that keeps retention days of event_records and sends over as many SMTP connections as workers.
func New(cfg Config, retention, workers int, days Days, outbox Outbox, keys Keys,
	optouts OptOuts, trail Trail, mail Mail, log *slog.Logger, meter metric.Meter,
) (*Sweeper, error) {
	switch {
	case cfg.Timeout <= 0:
		return nil, fmt.Errorf("SWEEP_TIMEOUT is %s, want more than 0", cfg.Timeout)
	case cfg.KeepSent < 0:
		return nil, fmt.Errorf("OUTBOX_KEEP_SENT is %s, want 0 or more", cfg.KeepSent)
	case cfg.NotificationDays <= retention+spareDays || cfg.MailDays <= retention+spareDays:
		return nil, fmt.Errorf("NOTIFICATIONS_RETENTION_DAYS is %d and MAIL_RETENTION_DAYS %d, want more than EVENT_RECORDS_RETENTION_DAYS and a day, %d",
			cfg.NotificationDays, cfg.MailDays, retention+spareDays)
	case cfg.AuditDays < 1:
		return nil, fmt.Errorf("AUDIT_RETENTION_DAYS is %d, want 1 or more", cfg.AuditDays)
	case retention < 1:
		return nil, fmt.Errorf("EVENT_RECORDS_RETENTION_DAYS is %d, want 1 or more", retention)
	}
	removed, err := meter.Int64Counter("orderbell.swept", metric.WithDescription("Rows that sweeps made and removed. Labels: kind."))
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	return &Sweeper{
		cfg: cfg, retention: retention, workers: workers, days: days, outbox: outbox, keys: keys, optouts: optouts, trail: trail, mail: mail,
		log: log, removed: removed,
	}, nil
}

// Sweep does every part of the work within ctx, which should end in SWEEP_TIMEOUT. One part's failure does not stop the others.
func (s *Sweeper) Sweep(ctx context.Context) (err error) {
	ctx, span := tracing.Start(ctx, tracing.SpanSweep)
	defer func() { tracing.End(span, err) }()
	began := time.Now()
	stopAt := began.Add(s.cfg.Timeout)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(stopAt) {
		stopAt = deadline
	}
	stopAt = stopAt.Add(-stopAt.Sub(began) / 4)
	kept := make(chan error, 1)
	go func() { kept <- s.keepHouse(ctx, began, stopAt) }()
	tally, err := s.mail.Sweep(ctx, s.workers, stopAt)
	err = errors.Join(<-kept, err)
	level := slog.LevelInfo
	if tally == (delivery.Tally{}) {
		level = slog.LevelDebug // most sweeps; created and removed rows have their own log lines
	}
	s.log.Log(ctx, level, "swept", "took", time.Since(began), "waiting", tally.Waiting, "sent", tally.Sent,
		"retried", tally.Retried, "held", tally.Held, "failed", tally.Failed, "suppressed", tally.Suppressed, "deferred", tally.Deferred,
		"ambiguous", tally.Ambiguous)
	return err
}

// keepHouse creates partitions and removes old rows. The partitions come first, because events need them.
func (s *Sweeper) keepHouse(ctx context.Context, now, stopAt time.Time) error {
	today := now.UTC().Truncate(24 * time.Hour)
	made, err := s.days.EnsureDays(ctx, today.AddDate(0, 0, -1), today.AddDate(0, 0, daysAhead))
	s.count(ctx, "days_made", int64(made))
	dropped, err2 := s.days.ForgetDays(ctx, today.AddDate(0, 0, -s.retention-spareDays))
	s.count(ctx, "days_dropped", int64(dropped))
	err3 := s.remove(ctx, "outbox_rows", stopAt, now.Add(-s.cfg.KeepSent), s.outbox.ForgetSent)
	err4 := s.remove(ctx, "idempotency_keys", stopAt, now.Add(-keepKeys), s.keys.ForgetKeys)
	err5 := s.remove(ctx, "optouts", stopAt, now, s.optouts.ForgetOptOuts)
	err6 := s.remove(ctx, "confirmation_mails", stopAt, now.Add(-user.ConfirmationEvery), s.optouts.ForgetConfirmationMails)
	err7 := s.remove(ctx, "audit_records", stopAt, now.AddDate(0, 0, -s.cfg.AuditDays), s.trail.ForgetRecords)
	err8 := s.remove(ctx, "refusals", stopAt, today.AddDate(0, 0, -refusalDays), s.trail.ForgetRefusals)
	err9 := s.remove(ctx, "revocations", stopAt, now, s.trail.ForgetRevocations)
	err10 := s.remove(ctx, "notifications", stopAt, now.AddDate(0, 0, -s.cfg.NotificationDays), s.days.ForgetNotifications)
	err11 := s.remove(ctx, "mails", stopAt, now.AddDate(0, 0, -s.cfg.MailDays), s.days.ForgetMails)
	return errors.Join(err, err2, err3, err4, err5, err6, err7, err8, err9, err10, err11)
}

// remove deletes in batches, until nothing is left or it is time to stop.
func (s *Sweeper) remove(ctx context.Context, kind string, stopAt, before time.Time,
	forget func(ctx context.Context, before time.Time, limit int) (int64, error),
) error {
	for time.Now().Before(stopAt) {
		n, err := forget(ctx, before, batch)
		s.count(ctx, kind, n)
		if err != nil || n < batch {
			return err
		}
	}
	return nil
}

func (s *Sweeper) count(ctx context.Context, kind string, n int64) {
	if n == 0 {
		return
	}
	s.removed.Add(ctx, n, metric.WithAttributes(attribute.String("kind", kind)))
	s.log.InfoContext(ctx, "swept a part", "kind", kind, "count", n)
}
