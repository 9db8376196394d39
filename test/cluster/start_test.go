//go:build cluster

package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func (w *world) testFirstOrder(t *testing.T) {
	w.report.figure(t, "functions at zero after", "%s", seconds(w.zero(t)))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	v := w.watch(ctx, t, true)
	step := func(what, program, event string, act func() (string, error)) string {
		began := time.Now()
		id, err := act()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		answered := time.Since(began)
		f := v.find(t, 2*time.Minute, what+" to reach the watcher", func(f frame) bool { return f.event == event && f.order() == id })
		w.report.figure(t, what+", with "+program+" at zero", "answered in %s, seen by the watcher in %s",
			seconds(answered), seconds(f.at.Sub(began)))
		w.reportStart(t, program, began, f.at)
		return id
	}
	first, answered := time.Now(), time.Time{}
	id := step("order created (order-api from zero too)", "order-created", "order_created", func() (string, error) {
		o, err := w.till.create(t.Context(), "first")
		answered = time.Now()
		return o.ID, err
	})
	w.reportStart(t, "order-api", first, answered)
	step("order paid", "order-paid", "order_paid", func() (string, error) { return id, w.till.pay(t.Context(), id) })
	step("order status changed", "order-status-updated", "order_status_updated", func() (string, error) {
		return id, w.till.status(t.Context(), id, "preparing")
	})
	warm := time.Now()
	for _, status := range []string{"ready", "completed"} {
		if err := w.till.status(t.Context(), id, status); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, time.Minute, "all five events", func() error {
		if n, again, _ := v.has(); n != 5 || again != 0 {
			return fmt.Errorf("%d events, %d of them again", n, again)
		}
		return nil
	})
	w.report.figure(t, "two more changes, everything warm", "%s", seconds(time.Since(warm)))
	f := v.find(t, time.Minute, "the owner's notification", func(f frame) bool { return f.event == "notification" })
	t.Logf("notification: %s", f.data)
	w.report.figure(t, "back at zero after", "%s", seconds(w.zero(t)))
}

// reportStart reports the phases of a start from zero, from the states of the pod and the program's log. The first response
// may arrive before either shows it.
func (w *world) reportStart(t *testing.T, program string, began, answered time.Time) {
	t.Helper()
	var m milestones
	var serving time.Time
	eventually(t, time.Minute, "the start of "+program, func() (err error) {
		var ok bool
		if m, ok = w.pods.started(program, began.Add(-time.Second)); !ok {
			return errors.New("no pod of it is ready")
		}
		serving, err = w.servingSince(t.Context(), m)
		return err
	})
	w.report.figure(t, "cold start of "+program,
		"until a pod was wanted %s, scheduled %s, sandbox, image and process %s, ready %s, first answer %s",
		seconds(m.created.Sub(began)), seconds(m.scheduled.Sub(m.created)), seconds(serving.Sub(m.scheduled)),
		seconds(m.ready.Sub(serving)), seconds(answered.Sub(m.ready)))
}

// servingSince returns the time at which the program in the pod logged that it serves.
func (w *world) servingSince(ctx context.Context, m milestones) (time.Time, error) {
	log, err := w.kube.logs(ctx, m.name, m.program)
	if err != nil {
		return time.Time{}, err
	}
	for line := range strings.Lines(log) {
		var said struct {
			Time time.Time
			Msg  string
		}
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "serving" {
			return said.Time, nil
		}
	}
	return time.Time{}, fmt.Errorf("the log of pod %s does not say that it serves", m.name)
}

// testStarts measures several starts from zero of each function. The requests of a round go to order-api first, so that the start
// of an event function does not include the one of order-api.
func (w *world) testStarts(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	v := w.watch(ctx, t, true)
	var id string
	onStream := func(event string, err error) error {
		if err == nil {
			v.find(t, 2*time.Minute, event+" to reach the watcher", func(f frame) bool { return f.event == event && f.order() == id })
		}
		return err
	}
	functions := []struct {
		name, until string
		act         func(round int) error
	}{
		{"order-api", "answer", func(int) error { return w.till.read(ctx, "/api/orders/snapshot") }},
		{"user-api", "answer", func(int) error { return w.till.read(ctx, "/api/me") }},
		{"order-created", "stream", func(round int) error {
			o, err := w.till.create(ctx, fmt.Sprintf("start-%d", round))
			id = o.ID
			return onStream("order_created", err)
		}},
		{"order-paid", "stream", func(int) error { return onStream("order_paid", w.till.pay(ctx, id)) }},
		{"order-status-updated", "stream", func(int) error { return onStream("order_status_updated", w.till.status(ctx, id, "preparing")) }},
		{"delivery-sweeper", "answer", func(int) error { return w.sweep(t) }},
	}
	took := map[string][]time.Duration{}
	for round := range number(t, "CLUSTER_STARTS", 3) {
		w.zero(t)
		for _, f := range functions {
			if w.pods.any(f.name) {
				continue // its PingSource has woken delivery-sweeper meanwhile
			}
			began := time.Now()
			if err := f.act(round); err != nil {
				t.Fatalf("%s: %v", f.name, err)
			}
			took[f.name] = append(took[f.name], time.Since(began))
		}
	}
	for _, f := range functions {
		all := took[f.name]
		if len(all) == 0 {
			t.Fatalf("%s never started from zero", f.name)
		}
		slices.Sort(all)
		w.report.figure(t, f.name+" from zero, request to "+f.until, "median %s of %d, %s to %s",
			seconds(all[len(all)/2]), len(all), seconds(all[0]), seconds(all[len(all)-1]))
	}
}

// any says whether program has a pod.
func (w *podWatch) any(program string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.pods {
		if p.program() == program {
			return true
		}
	}
	return false
}
