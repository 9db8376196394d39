package tenantlog_test

import (
	"context"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"orderbell/internal/duration"
	"orderbell/internal/tracing"
	"orderbell/internal/tracing/tracingtest"
	"orderbell/sse-gateway/internal/tenantlog"
	"orderbell/sse-gateway/internal/tenantlog/tenantlogtest"
	"orderbell/sse-gateway/internal/visible"
)

// TestTheLastWriterEndsAChange uses a log with several writers, such as the gateway's workers.
func TestTheLastWriterEndsAChange(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	ctx, spans := tracingtest.Into(t.Context())
	recorder, err := visible.New(ctx, sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := tenantlog.Config{MaxBytes: 1 << 20, MaxEvents: 1000, CompareEvery: duration.Seconds(time.Hour)}
	logs := tenantlogtest.Run(t, cfg, tenantlogtest.Nothing{})
	logs.Visible = recorder
	log := tenantlogtest.Acquire(t, logs, "demo")
	n := 0
	publish := func() {
		n++
		p := tenantlogtest.Published(n)
		p.Message.TraceParent = tracingtest.Given
		if got := log.Apply(p); got != tenantlog.Applied {
			t.Fatalf("message %d: %v", n, got)
		}
	}
	check := func(what string, measured uint64, ended int) {
		t.Helper()
		if got := seen(t, reader); got != measured || len(spans.Ended(tracing.SpanWrite)) != ended {
			t.Errorf("%s: %d changes and %d spans, want %d and %d", what, got, len(spans.Ended(tracing.SpanWrite)), measured, ended)
		}
	}
	publish()
	check("without a writer", 0, 0)
	a, b := log.Attend(), log.Attend()
	publish()
	publish()
	log.Wrote(a, a+2)
	check("one of two has written", 0, 0)
	log.Wrote(b, b+1)
	check("the other has written the first", 1, 1)
	late := log.Attend() // has nothing to do with what is under way
	log.Wrote(b+1, b+2)
	check("and the second", 2, 2)
	publish()
	log.Wrote(a+2, a+3)
	log.Leave(b + 2)
	log.Leave(late)
	check("one has written, and the others have left", 3, 3)
	publish()
	log.Leave(a + 3)
	check("the only one has left before it wrote", 3, 4)
	publish()
	check("without a writer again", 3, 4)
}

func seen(t *testing.T, reader *sdkmetric.ManualReader) (n uint64) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			for _, p := range m.Data.(metricdata.Histogram[float64]).DataPoints {
				n += p.Count
			}
		}
	}
	return n
}
