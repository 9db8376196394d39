package stream

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"orderbell/sse-gateway/internal/fanout"
)

// Observe registers the gateway's metrics. They are read at scrape time, so counting has no extra cost.
func (h *Handler) Observe(meter metric.Meter) error {
	b := builder{meter: meter}
	connections := b.gauge("orderbell.sse.connections", "Open streams.")
	places := b.gauge("orderbell.sse.max_connections", "Streams that the instance may carry.")
	logs := b.gauge("orderbell.sse.tenant_logs", "Tenants with a log in memory.")
	degraded := b.gauge("orderbell.sse.degraded_tenants", "Tenants whose clients were told that their feed is not guaranteed.")
	logBytes := b.gauge("orderbell.sse.tenant_log_bytes", "Bytes of memory that tenants' logs hold, their index included.")
	streamBytes := b.gauge("orderbell.sse.stream_bytes", "Bytes of memory that open streams hold.")
	unsentBytes := b.gauge("orderbell.sse.unsent_bytes", "Bytes that wait in the sockets of clients that do not read.")
	budgetBytes := b.gauge("orderbell.sse.memory_budget_bytes", "Bytes that logs, streams and unsent frames may take together.")
	dropped := b.counter("orderbell.sse.logs_dropped", "Logs without watchers that were dropped because the memory budget was used up.")
	trimmed := b.counter("orderbell.sse.logs_trimmed", "Times that a watched tenant's log was cut because the memory budget was used up.")
	deliveries := b.counter("orderbell.sse.deliveries", "Frames written, counted for each client.")
	stalls := b.counter("orderbell.sse.write_stalls", "Writes that found a client's socket full.")
	ends := b.counter("orderbell.sse.stream_ends", "Streams that ended; slow and stalled are evictions. Labels: reason.")
	resyncs := b.counter("orderbell.sse.resyncs", "Clients that had to load the snapshot when they connected. Labels: reason.")
	resumes := b.counter("orderbell.sse.resumes", "Clients that sent a Last-Event-ID and received the frames that they had missed.")
	refused := b.counter("orderbell.sse.refusals", "Streams refused; instance_full, tenant_full and user_full are quotas. Labels: reason.")
	holes := b.counter("orderbell.sse.holes_read", "Reads of a tenant's stream that found messages which pub/sub had lost.")
	lost := b.counter("orderbell.sse.streams_lost", "Parts of a tenant's stream that Redis lost: all of its clients had to load the snapshot.")
	early := b.counter("orderbell.sse.early_frames", "Orders shown before their event arrived, because it took longer than 30 ms.")
	if b.err != nil {
		return fmt.Errorf("set up metrics: %w", b.err)
	}
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(connections, h.pool.Counts.Connections.Load())
		o.ObserveInt64(places, int64(h.ledger.limits.Instance))
		o.ObserveInt64(logs, int64(h.deps.Logs.Len()))
		o.ObserveInt64(degraded, int64(h.deps.Logs.Degraded()))
		o.ObserveInt64(logBytes, h.deps.Logs.Budget.Logs.Load())
		o.ObserveInt64(streamBytes, h.deps.Logs.Budget.Streams.Load())
		o.ObserveInt64(unsentBytes, h.deps.Logs.Budget.Unsent.Load())
		o.ObserveInt64(budgetBytes, h.deps.Logs.Budget.Limit())
		o.ObserveInt64(dropped, h.deps.Logs.Relieved.Dropped.Load())
		o.ObserveInt64(trimmed, h.deps.Logs.Relieved.Trimmed.Load())
		o.ObserveInt64(resumes, h.resumes.Load())
		o.ObserveInt64(deliveries, h.pool.Counts.Deliveries.Load())
		o.ObserveInt64(stalls, h.pool.Counts.Stalls.Load())
		o.ObserveInt64(holes, h.deps.Logs.Counts.HolesRead.Load())
		o.ObserveInt64(lost, h.deps.Logs.Counts.StreamsLost.Load())
		o.ObserveInt64(early, h.deps.Logs.Counts.EarlyFrames.Load())
		for _, why := range fanout.Reasons() {
			o.ObserveInt64(ends, h.pool.Counts.Ends[why].Load(), reason(why.String()))
		}
		for why, n := range h.resyncs {
			o.ObserveInt64(resyncs, n.Load(), reason(string(why)))
		}
		for why, n := range h.refusals {
			o.ObserveInt64(refused, n.Load(), reason(string(why)))
		}
		return nil
	}, b.all...)
	if err != nil {
		return fmt.Errorf("set up metrics: %w", err)
	}
	return nil
}

func reason(why string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("reason", why))
}

// builder collects instruments and the first error.
type builder struct {
	meter metric.Meter
	all   []metric.Observable
	err   error
}

func (b *builder) gauge(name, description string) metric.Int64ObservableGauge {
	g, err := b.meter.Int64ObservableGauge(name, metric.WithDescription(description))
	b.add(g, err)
	return g
}

func (b *builder) counter(name, description string) metric.Int64ObservableCounter {
	c, err := b.meter.Int64ObservableCounter(name, metric.WithDescription(description))
	b.add(c, err)
	return c
}

func (b *builder) add(o metric.Observable, err error) {
	b.all = append(b.all, o)
	if b.err == nil {
		b.err = err
	}
}
