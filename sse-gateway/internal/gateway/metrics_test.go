package gateway_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"orderbell/sse-gateway/internal/gateway"
)

// measured is a bundle whose metrics can be read.
func measured(t *testing.T, change ...func(*gateway.Config)) (*bundle, *sdkmetric.ManualReader) {
	t.Helper()
	b := setup(t, change...)
	b.stop()
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	g, err := gateway.Start(t.Context(), b.cfg, nil, slog.New(slog.NewTextHandler(t.Output(), nil)), provider.Meter("test"))
	if err != nil {
		t.Fatal(err)
	}
	b.gateway, b.server = g, httptest.NewServer(g)
	return b, reader
}

// values returns a metric's values by the value of its label reason, "" without one.
func values(t *testing.T, reader *sdkmetric.ManualReader, name string) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	found := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			var points []metricdata.DataPoint[int64]
			switch data := m.Data.(type) {
			case metricdata.Gauge[int64]:
				points = data.DataPoints
			case metricdata.Sum[int64]:
				points = data.DataPoints
			default:
				t.Fatalf("%s is a %T", name, data)
			}
			for _, p := range points {
				reason, _ := p.Attributes.Value("reason")
				if p.Value != 0 {
					found[reason.AsString()] = p.Value
				}
			}
		}
	}
	return found
}

func expect(t *testing.T, reader *sdkmetric.ManualReader, name string, want map[string]int64) {
	t.Helper()
	var got map[string]int64
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		if got = values(t, reader, name); cmp.Equal(want, got) {
			return
		}
	}
	t.Errorf("%s (-want +got):\n%s", name, cmp.Diff(want, got))
}

// TestConnectionsAreCounted is what the autoscaler depends on.
func TestConnectionsAreCounted(t *testing.T) {
	t.Parallel()
	b, reader := measured(t)
	const name = "orderbell.sse.connections"
	expect(t, reader, name, map[string]int64{})
	var clients []*client
	for range 3 {
		c := b.open(t)
		c.mustNext(t)
		clients = append(clients, c)
	}
	expect(t, reader, name, map[string]int64{"": 3})
	expect(t, reader, "orderbell.sse.max_connections", map[string]int64{"": 10_000})
	_ = clients[0].Body.Close()
	expect(t, reader, name, map[string]int64{"": 2})
	expect(t, reader, "orderbell.sse.stream_ends", map[string]int64{"gone": 1})
}

func TestRefusalsResumesAndResyncsAreCounted(t *testing.T) {
	t.Parallel()
	b, reader := measured(t, func(c *gateway.Config) { c.Stream.MaxPerUser = 1 })
	m := b.publish(t, 1)
	first := b.open(t, "Last-Event-ID", m.ID)
	first.mustNext(t)
	for range 2 {
		if f := b.open(t).mustNext(t); f.Event != "overloaded" {
			t.Fatalf("a second stream of the user begins with %+v, want overloaded", f)
		}
	}
	b.openAs(t, "u-2", "Last-Event-ID", "never-heard-of").mustNext(t)
	expect(t, reader, "orderbell.sse.refusals", map[string]int64{"user_full": 2})
	expect(t, reader, "orderbell.sse.resumes", map[string]int64{"": 1})
	expect(t, reader, "orderbell.sse.resyncs", map[string]int64{"unknown_id": 1})
	b.publish(t, 2)
	first.mustNext(t)
	if n := values(t, reader, "orderbell.sse.deliveries")[""]; n < 1 {
		t.Errorf("%d frames counted after one was delivered", n)
	}
}
