package auth_test

import (
	"net/http"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"orderbell/internal/auth"
)

// TestTheAgeOfTheKeysIsExported tests the metric that alerts an operator before the first user is locked out.
func TestTheAgeOfTheKeysIsExported(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	v, err := auth.NewVerifier(t.Context(), auth.Config{
		JWKSURL: p.URL, Issuer: "orderbell", Audience: "orderbell", TenantClaim: "tenant_id", RolesClaim: "roles", KeysEvery: 10 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	reader := sdkmetric.NewManualReader()
	if err := v.Observe(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")); err != nil {
		t.Fatal(err)
	}
	age := func() float64 {
		t.Helper()
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		for _, scope := range all.ScopeMetrics {
			for _, m := range scope.Metrics {
				if data, ok := m.Data.(metricdata.Gauge[float64]); ok && m.Name == "orderbell.auth.keys_age" {
					return data.DataPoints[0].Value
				}
			}
		}
		t.Fatal("there is no orderbell.auth.keys_age")
		return 0
	}
	p.answers(t, 2)
	before := age()
	p.fail(http.StatusInternalServerError, "")
	p.answers(t, 2)
	began := time.Now()
	p.answers(t, 1)
	if got := age(); got < time.Since(began).Seconds() {
		t.Errorf("the keys are %.3f s old after %s of failed fetches, and %.3f s before", got, time.Since(began), before)
	}
	p.publish(t)
	p.answers(t, 3)
	if got := age(); got >= time.Since(began).Seconds() {
		t.Errorf("the keys are %.3f s old after a fetch", got)
	}
}
