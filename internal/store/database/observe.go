package database

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Observe registers the pool's metrics. They are read when they are asked for.
func (p *Pool) Observe(meter metric.Meter) error {
	var errs [5]error
	connections, err := meter.Int64ObservableGauge("orderbell.database.connections",
		metric.WithDescription("Connections of the PostgreSQL pool. Labels: state."))
	errs[0] = err
	most, err := meter.Int64ObservableGauge("orderbell.database.max_connections",
		metric.WithDescription("Connections that the PostgreSQL pool may have."))
	errs[1] = err
	acquires, err := meter.Int64ObservableCounter("orderbell.database.acquires",
		metric.WithDescription("Connections taken from the PostgreSQL pool."))
	errs[2] = err
	wait, err := meter.Float64ObservableCounter("orderbell.database.acquire_wait", metric.WithUnit("s"),
		metric.WithDescription("Time spent waiting for a connection of the PostgreSQL pool."))
	errs[3] = err
	canceled, err := meter.Int64ObservableCounter("orderbell.database.canceled_acquires",
		metric.WithDescription("Waits for a connection of the PostgreSQL pool that ended without one."))
	errs[4] = err
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	inUse := metric.WithAttributes(attribute.String("state", "in_use"))
	idle := metric.WithAttributes(attribute.String("state", "idle"))
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		now := p.Stat()
		o.ObserveInt64(connections, int64(now.AcquiredConns()), inUse)
		o.ObserveInt64(connections, int64(now.IdleConns()), idle)
		o.ObserveInt64(most, int64(now.MaxConns()))
		o.ObserveInt64(acquires, now.AcquireCount())
		o.ObserveFloat64(wait, now.AcquireDuration().Seconds())
		o.ObserveInt64(canceled, now.CanceledAcquireCount())
		return nil
	}, connections, most, acquires, wait, canceled)
	return err
}
