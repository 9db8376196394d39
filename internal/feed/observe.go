package feed

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Observe registers the metrics of the connections to Redis and of [Feed.Publish]. Call it before the feed is used.
func (f *Feed) Observe(meter metric.Meter) error {
	var errs [4]error
	connections, err := meter.Int64ObservableGauge("orderbell.redis.connections",
		metric.WithDescription("Connections of the Redis pool. Labels: state."))
	errs[0] = err
	waits, err := meter.Int64ObservableCounter("orderbell.redis.pool_timeouts",
		metric.WithDescription("Waits for a connection of the Redis pool that ended without one."))
	errs[1] = err
	stale, err := meter.Int64ObservableCounter("orderbell.redis.stale_connections",
		metric.WithDescription("Connections to Redis that were closed because they were too old or broken."))
	errs[2] = err
	f.published, errs[3] = meter.Float64Histogram("orderbell.redis.publish.duration", metric.WithUnit("s"),
		metric.WithDescription("Time of the script in Redis that publishes a message. Labels: outcome."),
		metric.WithExplicitBucketBoundaries(.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2))
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	inUse := metric.WithAttributes(attribute.String("state", "in_use"))
	idle := metric.WithAttributes(attribute.String("state", "idle"))
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		now := f.client.PoolStats()
		o.ObserveInt64(connections, int64(now.TotalConns)-int64(now.IdleConns), inUse)
		o.ObserveInt64(connections, int64(now.IdleConns), idle)
		o.ObserveInt64(waits, int64(now.Timeouts))
		o.ObserveInt64(stale, int64(now.StaleConns))
		return nil
	}, connections, waits, stale)
	return err
}

func (f *Feed) timePublish(ctx context.Context, began time.Time, err error) {
	if f.published == nil {
		return
	}
	outcome := "ok"
	if err != nil {
		outcome = "error"
	}
	f.published.Record(context.WithoutCancel(ctx), time.Since(began).Seconds(), metric.WithAttributes(attribute.String("outcome", outcome)))
}
