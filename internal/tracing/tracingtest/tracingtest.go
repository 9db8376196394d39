// Package tracingtest keeps the spans that a test's code makes.
package tracingtest

import (
	"context"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"orderbell/internal/tracing"
)

// Given is a sampled parent, as a client may name it.
const (
	GivenTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	GivenSpan  = "00f067aa0ba902b7"
	Given      = "00-" + GivenTrace + "-" + GivenSpan + "-01"
	Unsampled  = "00-" + GivenTrace + "-" + GivenSpan + "-00"
)

// Spans are the spans that have ended.
type Spans struct{ recorder *tracetest.SpanRecorder }

// Into returns a context whose spans are kept, if their parent is sampled or they have none.
func Into(ctx context.Context) (context.Context, Spans) {
	s := Spans{tracetest.NewSpanRecorder()}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(s.recorder))
	return tracing.Into(ctx, provider.Tracer("test")), s
}

// Ended returns the spans of a name.
func (s Spans) Ended(name string) []sdktrace.ReadOnlySpan {
	var found []sdktrace.ReadOnlySpan
	for _, span := range s.recorder.Ended() {
		if span.Name() == name {
			found = append(found, span)
		}
	}
	return found
}

// One returns the one span of a name.
func (s Spans) One(t *testing.T, name string) sdktrace.ReadOnlySpan {
	t.Helper()
	found := s.Ended(name)
	if len(found) != 1 {
		t.Fatalf("%d spans %q, want one", len(found), name)
	}
	return found[0]
}

// Parent returns how other programs refer to the span.
func Parent(span sdktrace.ReadOnlySpan) string {
	return "00-" + span.SpanContext().TraceID().String() + "-" + span.SpanContext().SpanID().String() + "-01"
}
