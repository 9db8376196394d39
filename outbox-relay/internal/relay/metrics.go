package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"orderbell/internal/event"
)

// metrics has the relay's metrics. Backlog and lag are measured every watchInterval, because a scrape must not wait for
// a database that is down.
type metrics struct {
	sentEvents  metric.Int64Counter
	deadLetters metric.Int64Counter
	failures    metric.Int64Counter
	wait        metric.Float64Histogram
	byType      map[event.Type]metric.MeasurementOption

	mu      sync.Mutex
	backlog *backlog // nil: not known now
	lag     map[string]map[int32]int64
}

type backlog struct {
	unsent int64
	oldest time.Duration
}

func newMetrics(meter metric.Meter) (*metrics, error) {
	m := &metrics{lag: map[string]map[int32]int64{}, byType: map[event.Type]metric.MeasurementOption{}}
	for _, t := range event.Types() {
		m.byType[t] = metric.WithAttributeSet(attribute.NewSet(attribute.String("type", string(t))))
	}
	var errs [7]error
	m.sentEvents, errs[0] = meter.Int64Counter("orderbell.outbox.sent_events",
		metric.WithDescription("Events that Kafka has acknowledged. Labels: type."))
	m.deadLetters, errs[1] = meter.Int64Counter("orderbell.outbox.dead_letters",
		metric.WithDescription("Events that could not be sent and went to the topic of dead letters."))
	m.failures, errs[2] = meter.Int64Counter("orderbell.outbox.failed_batches",
		metric.WithDescription("Batches of which at least one event has to be sent again."))
	m.wait, errs[3] = meter.Float64Histogram("orderbell.outbox.wait", metric.WithUnit("s"),
		metric.WithDescription("From an order's change to Kafka's acknowledgement."),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60, 600))
	unsent, err := meter.Int64ObservableGauge("orderbell.outbox.unsent_events", metric.WithDescription("Events that wait in the outbox."))
	errs[4] = err
	oldest, err := meter.Float64ObservableGauge("orderbell.outbox.oldest_unsent", metric.WithUnit("s"),
		metric.WithDescription("How long the oldest event in the outbox has waited."))
	errs[5] = err
	lag, err := meter.Int64ObservableGauge("orderbell.consumer.lag",
		metric.WithDescription("Messages of a partition that a consumer group has not committed. Labels: group, partition."))
	errs[6] = err
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.backlog != nil {
			o.ObserveInt64(unsent, m.backlog.unsent)
			o.ObserveFloat64(oldest, m.backlog.oldest.Seconds())
		}
		for group, partitions := range m.lag {
			for p, n := range partitions {
				o.ObserveInt64(lag, n, metric.WithAttributes(attribute.String("group", group), attribute.Int("partition", int(p))))
			}
		}
		return nil
	}, unsent, oldest, lag)
	return m, err
}

func (m *metrics) sent(ctx context.Context, t event.Type, waited time.Duration) {
	m.sentEvents.Add(ctx, 1, m.byType[t])
	m.wait.Record(ctx, waited.Seconds())
}

const (
	watchInterval = 5 * time.Second
	watchTimeout  = 4 * time.Second
)

// watch measures backlog and lag until ctx ends. After a failed measurement it reports no value instead of an old one.
func (r *Relay) watch(ctx context.Context) {
	for ctx.Err() == nil {
		r.measure(ctx)
		r.rest(ctx, watchInterval, nil)
	}
}

func (r *Relay) measure(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	var now *backlog
	unsent, oldest, err := r.outbox.Backlog(ctx)
	if err == nil {
		now = &backlog{unsent: unsent, oldest: oldest}
	} else if ctx.Err() == nil {
		r.log.WarnContext(ctx, "backlog not measured", "err", err)
	}
	lag := map[string]map[int32]int64{}
	for _, group := range r.cfg.LagGroups {
		partitions, err := r.groups.Lag(ctx, group)
		if err == nil {
			lag[group] = partitions
		} else if ctx.Err() == nil {
			r.log.WarnContext(ctx, "consumer lag not measured", "group", group, "err", err)
		}
	}
	r.metrics.mu.Lock()
	defer r.metrics.mu.Unlock()
	r.metrics.backlog, r.metrics.lag = now, lag
}
