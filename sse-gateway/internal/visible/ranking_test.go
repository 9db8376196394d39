package visible_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"orderbell/internal/feed/feedtest"
	"orderbell/sse-gateway/internal/visible"
)

// counts returns the changes by the label tenant.
func counts(t *testing.T, reader *sdkmetric.ManualReader) map[string]uint64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	found := map[string]uint64{}
	for _, p := range all.ScopeMetrics[0].Metrics[0].Data.(metricdata.Histogram[float64]).DataPoints {
		tenant, _ := p.Attributes.Value("tenant")
		found[tenant.AsString()] += p.Count
	}
	return found
}

func TestTheBusiestTenantsHaveALabel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reader := sdkmetric.NewManualReader()
		r, err := visible.New(t.Context(), sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"))
		if err != nil {
			t.Fatal(err)
		}
		change := func(tenant string, n int) {
			for range n {
				r.Begin(tenant, feedtest.Message(tenant, 1)).Written()
			}
		}
		for i := range 20 {
			change(fmt.Sprintf("early-%02d", i), 2)
		}
		change("late", 50)
		before := counts(t, reader)
		if before["early-00"] != 2 || before["other"] != 50 || before["late"] != 0 || len(before) != 21 {
			t.Errorf("at first: %v, want the first 20 tenants and the rest as other", before)
		}
		time.Sleep(time.Minute)
		change("late", 1) // by now it is among the busiest
		after := counts(t, reader)
		if after["late"] != 1 || after["other"] != 50 || len(after) != 22 {
			t.Errorf("after a minute: %v, want late to have a label", after)
		}
		for i := range 500 { // always others
			time.Sleep(time.Minute)
			for range 20 {
				change(fmt.Sprintf("fleeting-%03d", i), 1)
			}
		}
		total := uint64(0)
		for _, n := range counts(t, reader) {
			total += n
		}
		if n := len(counts(t, reader)); n > 101 || total != 40+51+500*20 {
			t.Errorf("%d labels and %d changes, want at most 100 tenants and other, and %d", n, total, 40+51+500*20)
		}
	})
}

func TestWhatIsNoChangeIsNotMeasured(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	r, err := visible.New(t.Context(), sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"))
	if err != nil {
		t.Fatal(err)
	}
	m := feedtest.Message("demo", 1)
	m.Data = []byte(`{"timestamp":"noon"}`)
	read := feedtest.Message("demo", 1)
	read.Event = "notification_read"
	if r.Begin("demo", m) != nil || r.Begin("demo", read) != nil {
		t.Error("a change without a time, or with an invalid one, is measured")
	}
}
