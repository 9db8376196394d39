// Package visible measures how soon an order's change is visible: from the change to the frame in the sockets of its
// tenant's clients. If the change's trace is sampled, it makes the span of that hop and names it in the frame, so that the
// page's receipt completes the trace.
//
// The time of a change is the event's timestamp. For order-api it is PostgreSQL's clock at the change, a few milliseconds before the
// commit; for other publishers it is the time that they give.
package visible

import (
	"context"
	"encoding/json"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"orderbell/internal/event"
	"orderbell/internal/feed/message"
	"orderbell/internal/tracing"
)

// Places where a change is seen, as the label place has them.
const (
	inFrame = "frame"
	inPixel = "pixel"
)

// Recorder is safe for concurrent use.
type Recorder struct {
	ctx     context.Context //nolint:containedctx // has the tracer; spans and measurements belong to no call
	seconds metric.Float64Histogram
	tenants *ranking
}

// New returns a recorder whose spans the tracer of ctx makes.
func New(ctx context.Context, meter metric.Meter) (*Recorder, error) {
	seconds, err := meter.Float64Histogram("orderbell.order.visible", metric.WithUnit("s"),
		metric.WithDescription("From an order's change to its frame in the sockets of the tenant's clients, and to the pixels of pages whose trace is sampled. "+
			"A cold start is an event that waited for its function to start. Labels: tenant, type, place, start."),
		metric.WithExplicitBucketBoundaries(.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300))
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what was set up
	}
	return &Recorder{ctx: ctx, seconds: seconds, tenants: newRanking()}, nil
}

// Change is an order's change on its way to the sockets.
type Change struct {
	of      *Recorder
	tenant  string // the label
	kind    event.Type
	changed time.Time
	cold    bool
	span    trace.Span
	ctx     context.Context //nolint:containedctx // of the span, for the exemplar
}

// Begin records that a change has arrived from the feed. It returns nil for a message without a change.
func (r *Recorder) Begin(tenantID string, m message.Message) *Change {
	changed, ok := changedAt(m)
	if !ok {
		return nil
	}
	c := &Change{of: r, tenant: r.tenants.label(tenantID), kind: m.Event, changed: changed, cold: m.Cold, ctx: r.ctx}
	parent := tracing.Parent{TraceParent: m.TraceParent, TraceState: m.TraceState}
	if !parent.Sampled() {
		return c
	}
	c.ctx, c.span = tracing.Start(tracing.With(r.ctx, parent), tracing.SpanWrite, trace.WithSpanKind(trace.SpanKindConsumer))
	if c.span.IsRecording() {
		c.span.SetAttributes(tracing.AttrMessagingSystem.String("redis"), tracing.AttrMessagingOperation.String("process"),
			tracing.AttrMessagingID.String(m.ID), tracing.AttrTenant.String(tenantID), tracing.AttrEventType.String(string(m.Event)))
	}
	return c
}

// changedAt returns when the order of m changed.
func changedAt(m message.Message) (time.Time, bool) {
	if !m.Event.Valid() {
		return time.Time{}, false
	}
	var data struct {
		Timestamp time.Time `json:"timestamp"`
	}
	if err := json.Unmarshal(m.Data, &data); err != nil || data.Timestamp.IsZero() {
		return time.Time{}, false
	}
	return data.Timestamp, true
}

// TraceParent returns the span of this hop, for the frame; "" if the trace is not sampled.
func (c *Change) TraceParent() string {
	if c.span == nil {
		return ""
	}
	return tracing.Of(c.ctx).TraceParent
}

// Written records that the frame is in all sockets that had room.
func (c *Change) Written() {
	c.of.observe(c.ctx, c.tenant, c.kind, inFrame, c.cold, time.Since(c.changed))
	c.Dropped()
}

// Dropped records that no client was left to write to.
func (c *Change) Dropped() {
	if c.span != nil {
		c.span.End()
	}
}

func (r *Recorder) observe(ctx context.Context, tenant string, kind event.Type, place string, cold bool, took time.Duration) {
	start := "warm"
	if cold {
		start = "cold"
	}
	// A publisher's clock may be ahead of ours.
	r.seconds.Record(ctx, max(took, 0).Seconds(), metric.WithAttributeSet(attribute.NewSet(attribute.String("tenant", tenant),
		attribute.String("type", string(kind)), attribute.String("place", place), attribute.String("start", start))))
}
