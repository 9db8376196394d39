// Package tracing follows an order through the programs: a span for each hop, all of them in the trace of the request that
// changed the order.
//
// [Into] puts the program's tracer into a context, so that code which makes spans needs no other argument.
// Without a tracer every call does nothing. Between programs the trace travels as W3C traceparent and tracestate: in the outbox,
// in the event's extensions, in the message of the feed.
package tracing

import (
	"context"
	"net/http"
	"regexp"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Parent is the trace and the span that something belongs to, in the form of W3C Trace Context.
type Parent struct {
	TraceParent string // "" for none
	TraceState  string
}

type tracerKey struct{}

// Into returns a context whose spans t makes.
func Into(ctx context.Context, t trace.Tracer) context.Context {
	return context.WithValue(ctx, tracerKey{}, t)
}

func tracer(ctx context.Context) trace.Tracer {
	if t, ok := ctx.Value(tracerKey{}).(trace.Tracer); ok {
		return t
	}
	return noop.Tracer{}
}

// Start begins a span. End it with [End]. Give a span that may be dropped its attributes only if IsRecording says true: for
// most spans of a sampled service they would be dropped.
func Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	return tracer(ctx).Start(ctx, name, options...)
}

// End ends a span. An error is its status.
func End(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}

// MaxState is the longest tracestate that is passed on, in bytes. It is the minimum of W3C Trace Context (§3.3.1.5). A longer one is
// dropped, and the trace goes on without it.
const MaxState = 512

// With returns a context whose next span is a child of p. Without a valid p it is ctx.
func With(ctx context.Context, p Parent) context.Context {
	if p.TraceParent == "" {
		return ctx
	}
	if len(p.TraceState) > MaxState {
		p.TraceState = ""
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": p.TraceParent, "tracestate": p.TraceState})
}

// Header returns the parent that a request's headers name. A repeated header names no parent (W3C Trace Context §3.2).
func Header(h http.Header) Parent {
	parents, states := h.Values("Traceparent"), h.Values("Tracestate")
	if len(parents) != 1 {
		return Parent{}
	}
	return Parent{TraceParent: parents[0], TraceState: strings.Join(states, ",")}
}

// Of returns the current span of ctx as other programs refer to it, or zero.
func Of(ctx context.Context) Parent {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return Parent{TraceParent: carrier["traceparent"], TraceState: carrier["tracestate"]}
}

// Add adds attributes to the current span of ctx.
func Add(ctx context.Context, attributes ...attribute.KeyValue) {
	trace.SpanFromContext(ctx).SetAttributes(attributes...)
}

// Sampled reports whether the spans of p's trace are kept. That is the lowest bit of its flags. W3C Trace Context, level 2, has
// another flag, which means that the id of the trace is random.
func (p Parent) Sampled() bool {
	flags := len(p.TraceParent) - 1
	return flags > 0 && strings.IndexByte("13579bdf", p.TraceParent[flags]) >= 0
}

var parentPattern = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// IsParent says whether s has the form of a traceparent.
func IsParent(s string) bool { return parentPattern.MatchString(s) }

// IsState reports whether s may be passed on as a tracestate: a list of W3C Trace Context of at most [MaxState] bytes.
func IsState(s string) bool {
	if len(s) > MaxState {
		return false
	}
	_, err := trace.ParseTraceState(s)
	return err == nil
}

// ID returns the id of the trace that a traceparent names, or "".
func ID(traceParent string) string {
	ctx := With(context.Background(), Parent{TraceParent: traceParent})
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		return sc.TraceID().String()
	}
	return ""
}
