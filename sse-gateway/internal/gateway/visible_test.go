package gateway_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"orderbell/internal/feed/feedtest"
	"orderbell/internal/tracing"
	"orderbell/internal/tracing/tracingtest"
	"orderbell/sse-gateway/internal/gateway"
)

// traced is a bundle whose spans and metrics are kept.
func traced(t *testing.T) (*bundle, tracingtest.Spans, *sdkmetric.ManualReader) {
	t.Helper()
	b := setup(t)
	b.stop()
	reader := sdkmetric.NewManualReader()
	ctx, spans := tracingtest.Into(t.Context())
	g, err := gateway.Start(ctx, b.cfg, nil, slog.New(slog.NewTextHandler(t.Output(), nil)),
		sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"))
	if err != nil {
		t.Fatal(err)
	}
	b.gateway, b.server = g, httptest.NewServer(g)
	return b, spans, reader
}

// visible returns the points of the histogram, with at least n changes in all.
func visible(t *testing.T, reader *sdkmetric.ManualReader, n uint64) []metricdata.HistogramDataPoint[float64] {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		var all metricdata.ResourceMetrics
		if err := reader.Collect(context.Background(), &all); err != nil {
			t.Fatal(err)
		}
		for _, scope := range all.ScopeMetrics {
			for _, m := range scope.Metrics {
				h, ok := m.Data.(metricdata.Histogram[float64])
				if m.Name != "orderbell.order.visible" || !ok {
					continue
				}
				var seen uint64
				for _, p := range h.DataPoints {
					seen += p.Count
				}
				if seen >= n {
					return h.DataPoints
				}
			}
		}
	}
	t.Fatalf("not within %s: %d changes in orderbell.order.visible", patience, n)
	return nil
}

func TestAChangeIsMeasuredUntilItsFrameIsWritten(t *testing.T) {
	t.Parallel()
	b, spans, reader := traced(t)
	early := feedtest.Message(b.tenant, 1)
	early.TraceParent = tracingtest.Given
	if err := b.feed.Publish(t.Context(), b.tenant, early); err != nil {
		t.Fatal(err)
	}
	c := b.open(t, "Last-Event-ID", "0")
	c.mustNext(t) // ready
	if f := c.mustNext(t); f.ID != early.ID || field(t, f, "traceparent") != nil {
		t.Errorf("a frame from before the stream is %+v, want no trace: it is not measured", f)
	}
	m := feedtest.Message(b.tenant, 2)
	m.TraceParent, m.TraceState, m.Cold = tracingtest.Given, "vendor=1", true
	m = feedtest.At(m, time.Now().Add(-2*time.Minute))
	if err := b.feed.Publish(t.Context(), b.tenant, m); err != nil {
		t.Fatal(err)
	}
	f := c.mustNext(t)
	points := visible(t, reader, 1)
	span := spans.One(t, tracing.SpanWrite)
	if span.Parent().SpanID().String() != tracingtest.GivenSpan || span.Parent().TraceState().String() != "vendor=1" {
		t.Errorf("the parent is %v, want the span that published", span.Parent())
	}
	if got := field(t, f, "traceparent"); got != tracingtest.Parent(span) {
		t.Errorf("the frame names %v, want the span that wrote it, %s", got, tracingtest.Parent(span))
	}
	if len(points) != 1 || points[0].Count != 1 || points[0].Sum < 120 || points[0].Sum > 180 {
		t.Fatalf("points: %+v, want one change after two minutes", points)
	}
	for label, want := range map[string]string{"tenant": b.tenant, "type": string(m.Event), "place": "frame", "start": "cold"} {
		if got, _ := points[0].Attributes.Value(attribute.Key(label)); got.AsString() != want {
			t.Errorf("%s is %q, want %q", label, got.AsString(), want)
		}
	}
	if e := points[0].Exemplars; len(e) != 1 || trace.TraceID(e[0].TraceID).String() != tracingtest.GivenTrace {
		t.Errorf("exemplars: %+v, want the trace", e)
	}
	silent := feedtest.Message(b.tenant, 3)
	silent.TraceParent = tracingtest.Unsampled
	if err := b.feed.Publish(t.Context(), b.tenant, silent); err != nil {
		t.Fatal(err)
	}
	if f := c.mustNext(t); field(t, f, "traceparent") != nil {
		t.Errorf("%s names a trace that is not sampled", f.Data)
	}
	visible(t, reader, 2)
	if n := len(spans.Ended(tracing.SpanWrite)); n != 1 {
		t.Errorf("%d spans, want none of the trace that is not sampled", n)
	}
}
