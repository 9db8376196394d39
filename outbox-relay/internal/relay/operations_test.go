package relay_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"orderbell/internal/audit"
	"orderbell/outbox-relay/internal/relay"
)

// office has the mails and the verdicts of a test.
type office struct {
	mails   int
	since   time.Time
	days    int
	verdict *audit.Verdict
	err     error
}

func (o *office) Waiting(context.Context) (int, time.Time, error) { return o.mails, o.since, o.err }

func (o *office) DaysAhead(context.Context) (int, error) { return o.days, o.err }

func (o *office) Last(context.Context) (audit.Verdict, bool, error) {
	if o.verdict == nil {
		return audit.Verdict{}, false, o.err
	}
	return *o.verdict, true, o.err
}

func TestObserveOperations(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	o := &office{}
	if err := relay.ObserveOperations(o, o, o, slog.New(slog.DiscardHandler), meter); err != nil {
		t.Fatal(err)
	}
	look := func() map[string]float64 {
		t.Helper()
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, scope := range all.ScopeMetrics {
			for _, m := range scope.Metrics {
				switch data := m.Data.(type) {
				case metricdata.Gauge[int64]:
					got[m.Name] = float64(data.DataPoints[0].Value)
				case metricdata.Gauge[float64]:
					got[m.Name] = float64(int64(data.DataPoints[0].Value))
				}
			}
		}
		return got
	}
	if diff := cmp.Diff(map[string]float64{
		"orderbell.mails.waiting": 0, "orderbell.mails.oldest_waiting": 0, "orderbell.event_records.days_ahead": 0,
	}, look()); diff != "" {
		t.Errorf("nothing is due and nothing was verified: %s", diff)
	}
	ended := time.Date(2026, 11, 24, 3, 5, 0, 0, time.UTC)
	*o = office{mails: 4, days: -1, since: time.Now().Add(-90 * time.Second), verdict: &audit.Verdict{EndedAt: ended, Offenders: 2, Skipped: []string{"stream"}}}
	want := map[string]float64{
		"orderbell.event_records.days_ahead": -1, "orderbell.mails.waiting": 4, "orderbell.mails.oldest_waiting": 90, "orderbell.verify.offenders": 2,
		"orderbell.verify.skipped_checks": 1, "orderbell.verify.last_run_timestamp": float64(ended.Unix()),
	}
	if diff := cmp.Diff(want, look()); diff != "" {
		t.Error(diff)
	}
	o.err = errors.New("the database is down")
	if got := look(); len(got) != 0 {
		t.Errorf("numbers of a database that is down: %v", got)
	}
}
