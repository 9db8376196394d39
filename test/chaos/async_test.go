//go:build chaos

package chaos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
)

// loseCommits promotes an asynchronous standby that lacks the primary's last second. Acknowledged orders are lost: that is what
// asynchronous replication means. They are counted in the report, and `orderbell verify` has to name every order that Redis was
// told of and that the database has forgotten. Nothing repairs this damage, so it comes after everything else.
func (w *world) loseCommits(t *testing.T, r *report) {
	t.Helper()
	const name = "PostgreSQL's primary killed, its asynchronous standby promoted a second late"
	e := &episode{w: w, t: t, name: name, random: randomFor(r.seed, name), tenantOf: map[string]string{}, started: time.Now()}
	e.tenants = w.createTenants(t, "lost")
	row := &row{fault: name, tenants: e.tenants, injected: 1}
	r.rows = append(r.rows, row)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e.load = w.startLoad(ctx, t, e.tenants, r.seed)
	old := w.primary
	s := w.startStandby(t, false)
	e.wait(2 * time.Second)
	s.link.hold(down)
	e.wait(time.Second)
	w.endPrimary(t, old)
	lastSeen := time.Now()
	w.promote(t, s)
	s.link.release()
	eventually(t, patience, "orders to be accepted by the promoted standby", func() error {
		var n int
		err := w.db.QueryRow(t.Context(), `SELECT count(*) FROM orders WHERE tenant_id = ANY ($1) AND created_at > $2`, ids(e.tenants), lastSeen).Scan(&n)
		if err == nil && n < 50 {
			err = fmt.Errorf("%d so far", n)
		}
		return err
	})
	row.recovery = time.Since(lastSeen)
	e.load.cancel()
	e.load.done.Wait() // payments of lost orders fail, and that is not judged here
	row.orders, row.took = e.load.orders, time.Since(e.load.started)
	row.events = e.countEvents()
	eventually(t, patience, "the events to be recorded", func() error {
		missing, err := rows(t.Context(), w.db, promises()[3].sql, ids(e.tenants))
		if err == nil && len(missing) > 0 {
			err = fmt.Errorf("%d are not recorded, such as %s", len(missing), missing[0])
		}
		return err
	})
	stored, err := e.stored(t.Context(), w.db)
	if err != nil {
		t.Fatal(err)
	}
	published := e.publishedVersions()
	var told []string // lost, and in Redis
	for id, version := range e.load.answers() {
		if stored[id].Version >= version {
			continue
		}
		row.lost++
		if published[id] > stored[id].Version {
			told = append(told, id)
		}
	}
	if row.audit, err = w.audit(t.Context(), e.started, w.redisLost); err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, o := range row.audit.Offenders {
		named[o.OrderID] = true
	}
	unnamed := slices.DeleteFunc(slices.Clone(told), func(id string) bool { return named[id] })
	t.Logf("%s; of the %d orders with a lost change, Redis was told of %d; orderbell verify has %d offenders with %d orders",
		row, row.lost, len(told), row.audit.Total, len(named))
	if row.lost == 0 {
		t.Error("nothing was lost, so this shows nothing")
	}
	if len(unnamed) > 0 {
		t.Errorf("orderbell verify does not name %d lost orders, such as %s", len(unnamed), unnamed[0])
	}
}

// publishedVersions returns the highest version of each order in the tenants' streams.
func (e *episode) publishedVersions() map[string]int64 {
	published := map[string]int64{}
	for _, s := range e.tenants {
		messages, err := e.w.memory.XRange(e.t.Context(), "orders:{"+s.id+"}:stream", "-", "+").Result()
		if err != nil {
			e.t.Fatal(err)
		}
		for _, m := range messages {
			var payload struct {
				Data struct {
					OrderID string `json:"order_id"`
					Version int64
				}
			}
			text, _ := m.Values["d"].(string)
			if err := json.Unmarshal([]byte(text), &payload); err != nil {
				e.t.Fatalf("entry %s: %v", m.ID, err)
			}
			published[payload.Data.OrderID] = max(published[payload.Data.OrderID], payload.Data.Version)
		}
	}
	return published
}
