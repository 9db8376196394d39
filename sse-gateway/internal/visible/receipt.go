package visible

import (
	"time"

	"go.opentelemetry.io/otel/trace"

	"orderbell/internal/feed/message"
	"orderbell/internal/tracing"
)

// Receipt says when a page had a change's frame, and when it had painted it.
type Receipt struct {
	TraceParent      string // what the frame named
	Arrived, Painted time.Time
}

// Painted records a receipt for the change in m. It returns false, and records nothing, if the receipt is not for that change: it has
// another trace, or the trace is not sampled.
func (r *Recorder) Painted(tenantID string, m message.Message, receipt Receipt) bool {
	changed, ok := changedAt(m)
	frame := tracing.Parent{TraceParent: receipt.TraceParent, TraceState: m.TraceState}
	if !ok || !frame.Sampled() || tracing.ID(frame.TraceParent) == "" || tracing.ID(frame.TraceParent) != tracing.ID(m.TraceParent) {
		return false
	}
	ctx, span := tracing.Start(tracing.With(r.ctx, frame), tracing.SpanPaint, trace.WithTimestamp(receipt.Arrived),
		trace.WithSpanKind(trace.SpanKindConsumer))
	if span.IsRecording() {
		span.SetAttributes(tracing.AttrMessagingID.String(m.ID), tracing.AttrTenant.String(tenantID), tracing.AttrEventType.String(string(m.Event)))
	}
	r.observe(ctx, r.tenants.known(tenantID), m.Event, inPixel, m.Cold, receipt.Painted.Sub(changed))
	span.End(trace.WithTimestamp(receipt.Painted))
	return true
}
