//go:build alerts

// Package alerts_test causes the fault of every alert in k8s/components/observability, and checks that the alert fires and then
// resolves. `orderbell dev` runs on stores that the test can cut off, and a real Prometheus scrapes every program. `make alerts`
// runs it; the table that it prints is also written to .report/alerts.md, and the dashboards' panels, plotted, to .report/dashboards.html.
//
// The rules wait for minutes and hours. The test shortens every duration in them and changes nothing else: see rules_test.go.
package alerts_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// fault is one way to break the system, with the alerts that have to fire.
type fault struct {
	name   string
	alerts []string
	inject func(context.Context) error // returns when the fault has begun
	heal   func(context.Context) error
	since  time.Time // when the fault began, if there is no inject; zero means now
}

func TestAlerts(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.prometheus = startPrometheus(t, w)
	defer w.report(t)
	w.run(t, fault{
		name:   "`orderbell verify` has never run; then it runs",
		alerts: []string{"OrderbellVerifyOverdue"}, heal: w.verify(""),
	})
	w.verified = time.Now()
	ended := w.startTrade(ctx)
	t.Run("at the same time", func(t *testing.T) {
		for _, f := range w.independentFaults() {
			t.Run(f.alerts[0], func(t *testing.T) {
				t.Parallel()
				w.run(t, f)
			})
		}
	})
	for _, f := range w.outages() {
		w.run(t, f)
	}
	w.plotDashboards(t)
	cancel()
	<-ended
	for _, f := range w.verifyFaults() {
		w.run(t, f)
	}
	for _, name := range w.prometheus.rules {
		if !slices.ContainsFunc(w.seen, func(s sighting) bool { return s.alert == name }) {
			t.Errorf("no fault of this test makes %s fire: add one", name)
		}
	}
}

// run injects f, waits until its alerts fire, ends it, and waits until they have resolved.
func (w *world) run(t *testing.T, f fault) {
	t.Helper()
	ctx := t.Context()
	if f.inject != nil {
		if err := w.prometheus.await(ctx, f.alerts, false); err != nil {
			t.Fatalf("before %s: %v", f.name, err)
		}
	}
	injected := time.Now()
	if !f.since.IsZero() {
		injected = f.since
	}
	if f.inject != nil {
		if err := f.inject(ctx); err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
	}
	firing := w.prometheus.await(ctx, f.alerts, true)
	also := w.prometheus.others(f.alerts)
	healed := time.Now()
	if err := f.heal(ctx); err != nil {
		t.Fatalf("end of %s: %v", f.name, err)
	}
	if err := errors.Join(firing, w.prometheus.await(ctx, f.alerts, false)); err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range f.alerts {
		fired, resolved := w.prometheus.times(name, injected, healed)
		w.seen = append(w.seen, sighting{alert: name, fault: f.name, fired: fired, resolved: resolved, also: also})
		t.Logf("%s: fired after %.0f s, resolved after %.0f s", name, fired.Seconds(), resolved.Seconds())
	}
}
