//go:build cluster

package cluster_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// number returns the variable name, or standard if it is not set.
func number(t *testing.T, name string, standard int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return standard
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q, want a number", name, s)
	}
	return n
}

func (w *world) testSpike(t *testing.T) {
	n := number(t, "CLUSTER_PAYMENTS", 5000)
	ids := make([]string, n)
	began := time.Now()
	if err := inParallel(n, workers, func(i int) error {
		o, err := w.till.create(t.Context(), fmt.Sprintf("spike-%05d", i))
		ids[i] = o.ID
		return err
	}); err != nil {
		t.Fatal(err)
	}
	taken := time.Since(began)
	w.drained(t, 10*time.Minute, "order_created")
	w.report.figure(t, fmt.Sprintf("%d orders created", n), "created in %s (%.0f/s), all recorded after %s",
		seconds(taken), float64(n)/taken.Seconds(), seconds(time.Since(began)))
	w.report.figure(t, "back at zero after", "%s", seconds(w.zero(t)))

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	v := w.watch(ctx, t, false)
	began = time.Now()
	follow := w.follow(t, "order_paid")
	killed := make(chan string, 1)
	killing, enough := context.WithCancel(t.Context())
	defer enough()
	go func() { killed <- w.killOne(killing, "order-paid", "order_paid", n/4) }()
	if err := inParallel(n, workers, func(i int) error { return w.till.pay(t.Context(), ids[i]) }); err != nil {
		t.Fatal(err)
	}
	taken = time.Since(began)
	w.drained(t, 10*time.Minute, "order_paid")
	drained := time.Since(began)
	waiting := follow()
	enough()
	if name := <-killed; name == "" {
		t.Error("no pod of order-paid was killed in the spike")
	} else {
		w.report.figure(t, "killed in the spike", "%s", name)
	}
	eventually(t, 2*time.Minute, "every payment to reach the watcher", func() error {
		if got, _, resyncs := v.has(); got != n {
			return fmt.Errorf("%d of %d events arrived, and %d resyncs", got, n, resyncs)
		}
		return nil
	})
	_, again, resyncs := v.has()
	samples := w.pods.between(began, time.Now())
	most := 0
	for _, s := range samples {
		most = max(most, s.ready["order-paid"])
	}
	w.report.figure(t, fmt.Sprintf("spike of %d payments", n), "taken in %s (%.0f/s), drained after %s (%.0f/s), %d pods of order-paid at most, "+
		"0 lost, %d repeated frames, %d resyncs", seconds(taken), float64(n)/taken.Seconds(), seconds(drained), float64(n)/drained.Seconds(), most, again, resyncs)
	if most < 2 {
		t.Errorf("order-paid had %d pods at most, want more: it has to scale out", most)
	}
	w.consistent(t)
	w.report.figure(t, "back at zero after the spike", "%s", seconds(w.zero(t)))
	w.report.plot(t, "cluster-spike.svg", fmt.Sprintf("Ready pods in a spike of %d payments", n),
		w.pods.between(began, time.Now()), waiting)
}

// killOne kills a ready pod of program once the given number of events of a type is recorded, and returns its name.
func (w *world) killOne(ctx context.Context, program, kind string, after int) string {
	for {
		select {
		case <-ctx.Done():
			return ""
		case <-time.After(50 * time.Millisecond):
		}
		var done int
		err := w.db.QueryRow(ctx, recordedSQL, tenant, kind).Scan(&done)
		if err != nil || done < after {
			continue
		}
		if name := w.pods.ready(program); name != "" && w.kube.kill(ctx, name) == nil {
			return name
		}
	}
}

// ready returns the name of a ready pod of program, or "".
func (w *podWatch) ready(program string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, p := range w.pods {
		if p.program() == program && p.is("Ready") && p.Metadata.DeletionTimestamp == nil {
			return name
		}
	}
	return ""
}

// paidOrders returns n orders with the status paid.
func (w *world) paidOrders(t *testing.T, n int) []string {
	t.Helper()
	rows, err := w.db.Query(t.Context(), `SELECT id::text FROM orders WHERE tenant_id = $1 AND status = 'paid' LIMIT $2`, tenant, n)
	if err != nil {
		t.Fatal(err)
	}
	return column(t, rows)
}

// submittedOrders creates n orders that can be paid.
func (w *world) submittedOrders(t *testing.T, name string, n int) []string {
	t.Helper()
	ids := make([]string, n)
	if err := inParallel(n, 20, func(i int) error {
		o, err := w.till.create(t.Context(), fmt.Sprintf("%s-%03d", name, i))
		ids[i] = o.ID
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return ids
}
