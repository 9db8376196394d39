//go:build cluster

package cluster_test

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// testKills kills a pod of kafka-bridge and the one of outbox-relay while orders come in: what they had under way comes again.
func (w *world) testKills(t *testing.T) {
	const n = 600
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	v := w.watch(ctx, t, false)
	before := w.recorded(t, "order_created")
	killing, enough := context.WithCancel(t.Context())
	defer enough()
	killed := make(chan string, 2)
	for i, program := range []string{"kafka-bridge", "outbox-relay"} {
		go func() { killed <- w.killOne(killing, program, "order_created", before+(i+1)*n/4) }()
	}
	began := time.Now()
	w.submittedOrders(t, "killed", n)
	taken := time.Since(began)
	w.drained(t, 5*time.Minute, "order_created")
	drained := time.Since(began)
	enough()
	for range cap(killed) {
		name := <-killed
		if name == "" {
			t.Error("a program was not killed while orders came in")
		}
		t.Logf("killed: %s", name)
	}
	eventually(t, 2*time.Minute, "every order to reach the watcher", func() error {
		if got, _, resyncs := v.has(); got != n {
			return fmt.Errorf("%d of %d events came, and %d resyncs", got, n, resyncs)
		}
		return nil
	})
	_, again, resyncs := v.has()
	w.consistent(t)
	w.report.figure(t, fmt.Sprintf("kafka-bridge and outbox-relay killed while %d orders came in", n),
		"taken in %s, all in their records after %s, 0 lost, %d frames again, %d resyncs", seconds(taken), seconds(drained), again, resyncs)
}

// recorded is how many events of a type have a record.
func (w *world) recorded(t *testing.T, kind string) int {
	t.Helper()
	return w.count(t, recordedSQL, tenant, kind)
}

const recordedSQL = `SELECT count(*) FROM event_records WHERE tenant_id = $1 AND type = $2`
