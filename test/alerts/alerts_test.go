//go:build alerts

// Package alerts_test brings every alert of k8s/components/observability to firing by the fault that it is for, and sees it
// resolve: `orderbell dev` runs on stores that can be taken away, and a real Prometheus scrapes every program. `make alerts` runs
// it; the table that it prints is also written to .report/alerts.md.
//
// Rules wait for minutes and hours. The test shortens every duration of the same file, and nothing else: see rules.go.
package alerts_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// fault is something that breaks, and the alerts that have to say so.
type fault struct {
	name   string
	alerts []string
	strike func(context.Context) error // returns when the fault is there
	heal   func(context.Context) error
	since  time.Time // when it began, if there is no strike; zero: just now
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
	ended := w.trade(ctx)
	t.Run("at the same time", func(t *testing.T) {
		for _, f := range w.together() {
			t.Run(f.alerts[0], func(t *testing.T) {
				t.Parallel()
				w.run(t, f)
			})
		}
	})
	for _, f := range w.outages() {
		w.run(t, f)
	}
	w.queryDashboards(t)
	cancel()
	<-ended
	for _, f := range w.verdicts() {
		w.run(t, f)
	}
	for _, name := range w.prometheus.rules {
		if !slices.ContainsFunc(w.seen, func(s sighting) bool { return s.alert == name }) {
			t.Errorf("%s has no fault here: add one", name)
		}
	}
}

// run brings f about, waits until its alerts fire, ends it, and waits until they have resolved.
func (w *world) run(t *testing.T, f fault) {
	t.Helper()
	ctx := t.Context()
	if f.strike != nil {
		if err := w.prometheus.await(ctx, f.alerts, false); err != nil {
			t.Fatalf("before %s: %v", f.name, err)
		}
	}
	struck := time.Now()
	if !f.since.IsZero() {
		struck = f.since
	}
	if f.strike != nil {
		if err := f.strike(ctx); err != nil {
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
		fired, resolved := w.prometheus.times(name, struck, healed)
		w.seen = append(w.seen, sighting{alert: name, fault: f.name, fired: fired, resolved: resolved, also: also})
		t.Logf("%s: fired after %.0f s, resolved after %.0f s", name, fired.Seconds(), resolved.Seconds())
	}
}
