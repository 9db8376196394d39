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

// episode is one fault with shops, watchers and a load of its own.
type episode struct {
	w        *world
	t        *testing.T
	name     string
	random   *rand.Rand
	shops    []shop
	shopOf   map[string]string // order to shop
	watchers []*watcher
	load     *load
	began    time.Time
	hits     int // faults injected
}

const (
	// before and after are how long the load runs without a fault.
	before = time.Second
	after  = time.Second
)

// episode brings the fault about and returns when everything is as promised, or has had time to be.
func (w *world) episode(t *testing.T, r *report, f fault, name string) {
	t.Helper()
	e := &episode{w: w, t: t, name: name, random: randomFor(r.seed, name), shopOf: map[string]string{}, began: time.Now()}
	e.shops = w.openShops(t, fmt.Sprintf("c%d", len(r.rows)))
	row := &row{fault: name, shops: e.shops}
	r.rows = append(r.rows, row)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e.watchers = w.watch(ctx, t, e.shops)
	e.load = w.serve(ctx, t, e.shops, r.seed)
	stopped := false
	defer func() {
		if !stopped {
			e.load.cancel() // the fault has failed
		}
	}()
	e.wait(before)
	f.strike(e)
	healed := time.Now()
	row.injected = e.hits
	recovered, late := e.awaitRecovery(healed)
	e.wait(after)
	e.load.stop(t)
	stopped = true
	still := patience
	if late != nil {
		t.Error(late)
		still = 0 // there was time enough
	}
	found := e.awaitQuiet(still)
	if len(found) > 0 {
		still = 0
	}
	a, err := w.awaitClean(t, e.began, still)
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
	row.events, row.orders, row.recovery, row.took = e.countEvents(), e.load.orders, recovered, e.load.took
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

// between returns a time of this range, to the millisecond.
func (e *episode) between(least, most time.Duration) time.Duration {
	return least + time.Duration(e.random.Int64N(int64((most-least)/time.Millisecond)+1))*time.Millisecond
}

// awaitRecovery returns how long it took, from the end of the fault, until all that was ordered before was recorded and
// in every watcher's list, while the load went on.
func (e *episode) awaitRecovery(healed time.Time) (took time.Duration, late error) {
	e.t.Helper()
	var last int64
	var kept map[string]entry
	ctx := e.t.Context()
	eventually(e.t, patience, "the database", func() (err error) {
		if err := e.w.db.QueryRow(ctx, `SELECT coalesce(max(id), 0) FROM outbox`).Scan(&last); err != nil {
			return err
		}
		kept, err = e.stored(ctx, e.w.db)
		return err
	})
	shopOf := maps.Clone(e.shopOf)
	late = await(e.t, patience, "what was ordered during the fault to arrive", func() error {
		missing, err := rows(ctx, e.w.db, `SELECT o.event_id::text FROM outbox o LEFT JOIN event_records r ON r.event_id = o.event_id
			WHERE o.tenant_id = ANY ($1) AND o.id <= $2 AND r.event_id IS NULL`, ids(e.shops), last)
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			return fmt.Errorf("%d events are not recorded, such as %s", len(missing), missing[0])
		}
		for _, x := range e.watchers {
			if n := x.isBehind(kept, shopOf); n > 0 {
				return fmt.Errorf("%s has %d orders of another time", x.name, n)
			}
		}
		return nil
	})
	return time.Since(healed), late
}

// isBehind counts the orders that the watcher knows in a lower version.
func (x *watcher) isBehind(kept map[string]entry, shopOf map[string]string) int {
	list := x.orders()
	n := 0
	for id, want := range kept {
		if shopOf[id] == x.shop.id && list[id].Version < want.Version {
			n++
		}
	}
	return n
}

// awaitQuiet returns what is not as promised when patience has passed.
func (e *episode) awaitQuiet(patience time.Duration) []finding {
	e.t.Helper()
	deadline, told := time.Now().Add(patience), time.Now()
	for {
		found, err := e.verify(e.t.Context(), e.w.db)
		if err == nil && len(found) == 0 {
			return nil
		}
		told = progress(e.t, told, "everything to be as promised", errors.Join(err, fmt.Errorf("%v", found)))
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
	eventually(e.t, patience, "the database to count", func() error {
		return e.w.db.QueryRow(e.t.Context(), `SELECT count(*) FROM outbox WHERE tenant_id = ANY ($1)`, ids(e.shops)).Scan(&n)
	})
	return n
}

// answers returns the highest version of each order that the API has answered with.
func (l *load) answers() map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.acked)
}

// settleLetters waits until no e-mail is due any more, and completes the report's rows.
func (w *world) settleLetters(t *testing.T, r *report) {
	t.Helper()
	began := time.Now()
	// A letter in the hands of a process that was killed is free when its lease of three minutes is over.
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
	t.Logf("the last e-mail was sent %.1f s after the last fault", time.Since(began).Seconds())
	copies, err := w.inboxes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.rows {
		if row.letters, err = w.letters(t.Context(), row.shops, copies); err != nil {
			t.Fatal(err)
		}
		for _, f := range row.letters.found {
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
