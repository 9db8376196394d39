//go:build chaos

package chaos_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"orderbell/internal/backoff"
)

// episode is one fault with its own tenants, watchers and load.
type episode struct {
	w        *world
	t        *testing.T
	name     string
	random   *rand.Rand
	tenants  []tenant
	tenantOf map[string]string // order to tenant
	watchers []*watcher
	load     *load
	started  time.Time
	hits     int // faults injected
}

const (
	// before and after are the times that the load runs without a fault.
	before = time.Second
	after  = time.Second
)

// episode injects the fault, and returns when every promise holds or the time for that is over.
func (w *world) episode(t *testing.T, r *report, f fault, name string) {
	t.Helper()
	e := &episode{w: w, t: t, name: name, random: randomFor(r.seed, name), tenantOf: map[string]string{}, started: time.Now()}
	e.tenants = w.createTenants(t, fmt.Sprintf("c%d", len(r.rows)))
	row := &row{fault: name, tenants: e.tenants}
	r.rows = append(r.rows, row)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e.watchers = w.watch(ctx, t, e.tenants)
	e.load = w.startLoad(ctx, t, e.tenants, r.seed)
	stopped := false
	defer func() {
		if !stopped {
			e.load.cancel() // the test failed during the fault
		}
	}()
	e.wait(before)
	f.inject(e)
	healed := time.Now()
	row.injected = e.hits
	recovery, late := e.awaitRecovery(healed)
	e.wait(after)
	e.load.stop(t)
	stopped = true
	remaining := patience
	if late != nil {
		t.Error(late)
		remaining = 0 // awaitRecovery has used it
	}
	found := e.awaitConsistency(remaining)
	if len(found) > 0 {
		remaining = 0
	}
	a, err := w.awaitClean(t, e.started, remaining)
	if err != nil {
		t.Error(err)
	}
	w.last, row.audit = e, a
	cancel()
	for _, x := range e.watchers {
		<-x.ended
		row.again += x.again
		row.resyncs += x.resyncs
	}
	row.events, row.orders, row.recovery, row.took = e.countEvents(), e.load.orders, recovery, e.load.took
	for _, f := range found {
		row.add(f)
		t.Error(f)
	}
	t.Logf("%s", row)
}

func (e *episode) wait(d time.Duration) {
	if !backoff.Sleep(e.t.Context(), d) {
		e.t.Fatal(e.t.Context().Err())
	}
}

// between returns a random duration in this range, in whole milliseconds.
func (e *episode) between(least, most time.Duration) time.Duration {
	return least + time.Duration(e.random.Int64N(int64((most-least)/time.Millisecond)+1))*time.Millisecond
}

// awaitRecovery returns the time from the end of the fault until every order that was placed before its end was recorded and
// in every watcher's list. The load goes on meanwhile.
func (e *episode) awaitRecovery(healed time.Time) (took time.Duration, late error) {
	e.t.Helper()
	var last int64
	var stored map[string]entry
	ctx := e.t.Context()
	eventually(e.t, patience, "the database", func() (err error) {
		if err := e.w.db.QueryRow(ctx, `SELECT coalesce(max(id), 0) FROM outbox`).Scan(&last); err != nil {
			return err
		}
		stored, err = e.stored(ctx, e.w.db)
		return err
	})
	tenantOf := maps.Clone(e.tenantOf)
	late = await(e.t, patience, "the events of the fault to be recorded and in every list", func() error {
		missing, err := rows(ctx, e.w.db, `SELECT o.event_id::text FROM outbox o LEFT JOIN event_records r ON r.event_id = o.event_id
			WHERE o.tenant_id = ANY ($1) AND o.id <= $2 AND r.event_id IS NULL`, ids(e.tenants), last)
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			return fmt.Errorf("%d events are not recorded, such as %s", len(missing), missing[0])
		}
		for _, x := range e.watchers {
			if n := x.countStale(stored, tenantOf); n > 0 {
				return fmt.Errorf("%s has %d orders with an old version", x.name, n)
			}
		}
		return nil
	})
	return time.Since(healed), late
}

// countStale returns the number of orders whose version in the watcher's list is lower than the stored one.
func (x *watcher) countStale(stored map[string]entry, tenantOf map[string]string) int {
	list := x.orders()
	n := 0
	for id, want := range stored {
		if tenantOf[id] == x.tenant.id && list[id].Version < want.Version {
			n++
		}
	}
	return n
}

// awaitConsistency repeats verify until every promise holds or patience has passed, and returns the last findings.
func (e *episode) awaitConsistency(patience time.Duration) []finding {
	e.t.Helper()
	deadline, logged := time.Now().Add(patience), time.Now()
	for {
		found, err := e.verify(e.t.Context(), e.w.db)
		if err == nil && len(found) == 0 {
			return nil
		}
		logged = progress(e.t, logged, "every promise to hold", errors.Join(err, fmt.Errorf("%v", found)))
		if time.Now().After(deadline) {
			if err != nil {
				e.t.Error(err)
			}
			return found
		}
		e.wait(500 * time.Millisecond)
	}
}

func (e *episode) countEvents() (n int) {
	e.t.Helper()
	eventually(e.t, patience, "the database to count the events", func() error {
		return e.w.db.QueryRow(e.t.Context(), `SELECT count(*) FROM outbox WHERE tenant_id = ANY ($1)`, ids(e.tenants)).Scan(&n)
	})
	return n
}

// answers returns the highest acknowledged version of each order.
func (l *load) answers() map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.acked)
}

// awaitMails waits until no mail is due, and completes the report's rows.
func (w *world) awaitMails(t *testing.T, r *report) {
	t.Helper()
	started := time.Now()
	// A mail that was leased to a killed process is free when the lease of three minutes expires.
	const leases = 5 * time.Minute
	due := func() error {
		var n int
		err := w.db.QueryRow(t.Context(), `SELECT count(*) FROM email_deliveries WHERE status = 'due'`).Scan(&n)
		if err == nil && n > 0 {
			err = fmt.Errorf("%d are due", n)
		}
		return err
	}
	eventually(t, leases, "the e-mails to be sent", due)
	t.Logf("the last e-mail was sent %.1f s after the last fault", time.Since(started).Seconds())
	copies, err := w.mailpitCopies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.rows {
		if row.mails, err = w.mails(t.Context(), row.tenants, copies); err != nil {
			t.Fatal(err)
		}
		for _, f := range row.mails.found {
			row.add(f)
			t.Errorf("%s: %s", row.fault, f)
		}
	}
}

// countDeadLetters fails if a dead letter is open: every event is valid, and those of an outage are redriven without an operator.
func (w *world) countDeadLetters(t *testing.T, r *report) {
	t.Helper()
	list := func(args ...string) (letters []struct{ ID, Reason string }, err error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(root, "bin", "orderbell"), append([]string{"deadletter", "list", "--json"}, args...)...)
		cmd.Env = append(os.Environ(), w.addresses...)
		out, err := cmd.Output()
		if err != nil {
			return nil, err
		}
		return letters, json.Unmarshal(out, &letters)
	}
	eventually(t, patience, "every dead letter to be redriven", func() error {
		open, err := list("--open")
		if err == nil && len(open) > 0 {
			err = fmt.Errorf("%d are open, such as %s: %s", len(open), open[0].ID, open[0].Reason)
		}
		return err
	})
	all, err := list()
	if err != nil {
		t.Fatal(err)
	}
	r.deadLetters = len(all)
}

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}
