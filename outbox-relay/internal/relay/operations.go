package relay

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"

	"orderbell/internal/audit"
)

// Mails reads the mails that are due.
type Mails interface {
	// Waiting returns the number of due mails, and since when the oldest one has been due (zero without one).
	Waiting(ctx context.Context) (int, time.Time, error)
}

// Days knows the partitions of event_records.
type Days interface {
	// DaysAhead returns the number of consecutive days after today that have a partition. -1: today has none.
	DaysAhead(ctx context.Context) (int, error)
}

// Verdicts reads the results of orderbell verify.
type Verdicts interface {
	// Last returns the newest verdict, or false without one.
	Last(ctx context.Context) (audit.Verdict, bool, error)
}

// observeTimeout keeps a slow database from holding up a scrape.
const observeTimeout = time.Second

// ObserveOperations exports metrics that programs that scale to zero cannot export: due mails, the days that are ready and
// the last verdict. They are read with each scrape; values that cannot be read are left out.
func ObserveOperations(mails Mails, days Days, verdicts Verdicts, log *slog.Logger, meter metric.Meter) error {
	var errs [6]error
	waiting, err := meter.Int64ObservableGauge("orderbell.mails.waiting", metric.WithDescription("Mails that are due."))
	errs[0] = err
	oldest, err := meter.Float64ObservableGauge("orderbell.mails.oldest_waiting", metric.WithUnit("s"),
		metric.WithDescription("How long the oldest due mail has been due."))
	errs[1] = err
	last, err := meter.Float64ObservableGauge("orderbell.verify.last_run_timestamp", metric.WithUnit("s"),
		metric.WithDescription("When the last orderbell verify over all tenants ended."))
	errs[2] = err
	offenders, err := meter.Int64ObservableGauge("orderbell.verify.offenders",
		metric.WithDescription("Lost or duplicated events, notifications and mails that it found."))
	errs[3] = err
	skipped, err := meter.Int64ObservableGauge("orderbell.verify.skipped_checks", metric.WithDescription("Checks that it could not run."))
	errs[4] = err
	ahead, err := meter.Int64ObservableGauge("orderbell.event_records.days_ahead",
		metric.WithDescription("Days after today that have a partition of event_records; -1: today has none. Sweeps keep 7."))
	errs[5] = err
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	_, err = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		ctx, cancel := context.WithTimeout(ctx, observeTimeout)
		defer cancel()
		n, since, err := mails.Waiting(ctx)
		if err != nil {
			log.WarnContext(ctx, "due mails not counted", "err", err)
		} else {
			o.ObserveInt64(waiting, int64(n))
			age := 0.0
			if n > 0 {
				age = max(time.Since(since).Seconds(), 0)
			}
			o.ObserveFloat64(oldest, age)
		}
		if left, err := days.DaysAhead(ctx); err != nil {
			log.WarnContext(ctx, "days of event_records not counted", "err", err)
		} else {
			o.ObserveInt64(ahead, int64(left))
		}
		v, known, err := verdicts.Last(ctx)
		switch {
		case err != nil:
			log.WarnContext(ctx, "last verdict not read", "err", err)
		case known:
			o.ObserveFloat64(last, float64(v.EndedAt.UnixMilli())/1000)
			o.ObserveInt64(offenders, v.Offenders)
			o.ObserveInt64(skipped, int64(len(v.Skipped)))
		}
		return nil
	}, waiting, oldest, ahead, last, offenders, skipped)
	return err
}
