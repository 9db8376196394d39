package outbox_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/outbox"
)

// raise raises the floor as far as possible.
func raise(t *testing.T, o *outbox.Outbox) int64 {
	t.Helper()
	for range 6 {
		if err := o.RaiseFloor(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return o.Floor()
}

// begin begins a transaction that stays open until the test ends it.
func begin(t *testing.T, pool *database.Pool, options pgx.TxOptions, statement string) pgx.Tx {
	t.Helper()
	tx, err := pool.BeginTx(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(t.Context()) })
	if _, err := tx.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	return tx
}

// TestAHeldSnapshotDoesNotSlowTheOutbox counts the rows that a look reads while a transaction keeps all dead rows alive.
func TestAHeldSnapshotDoesNotSlowTheOutbox(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	pool := databasetest.Open(t, address)
	begin(t, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, "SELECT FROM outbox LIMIT 1")
	begin(t, pool, pgx.TxOptions{}, "INSERT INTO tenants (id, name) VALUES ('idle', 'Idle in a transaction that has written')")
	preparing := databasetest.Open(t, address)
	o := outbox.New(preparing)
	const sent, unsent = 8000, 5
	burst(t, preparing, "busy", sent)
	for range sent / all {
		take(t, o)
	}
	if got := raise(t, o); got != sent {
		t.Fatalf("the floor is %d, want %d", got, sent)
	}
	insert(t, preparing, 3, unsent)
	closeAll(t, pool, preparing)
	before := rowsRead(t, pool)
	taking := databasetest.Open(t, address)
	if got := len(take(t, o.On(taking))); got != unsent {
		t.Fatalf("%d events came, want %d", got, unsent)
	}
	closeAll(t, pool, taking)
	if read := rowsRead(t, pool) - before; read < unsent || read > sent/10 {
		t.Errorf("taking %d events read %d rows", unsent, read)
	}
}

// closeAll closes the pool old of the same database as pool, and waits until it has reported what it read.
func closeAll(t *testing.T, pool, old *database.Pool) {
	t.Helper()
	old.Close()
	const open = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'`
	for deadline, n := time.Now().Add(time.Minute), 0; ; time.Sleep(10 * time.Millisecond) {
		if err := pool.QueryRow(t.Context(), open).Scan(&n); err != nil || time.Now().After(deadline) {
			t.Fatalf("%d connections are open (%v)", n, err)
		}
		if n <= int(pool.Stat().TotalConns()) {
			return
		}
	}
}

// TestABatchOfManyTenantsCostsNoMore has more tenants than a batch has room for.
func TestABatchOfManyTenantsCostsNoMore(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	pool := databasetest.Open(t, address)
	preparing := databasetest.Open(t, address)
	const waiting, most = 3000, 10
	if _, err := preparing.Exec(t.Context(), `
INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at)
SELECT 0, gen_random_uuid(), '/test', 'order_created', 't' || n % $1, gen_random_uuid(), '{}', now() FROM generate_series(1, 2 * $1) n`, waiting); err != nil {
		t.Fatal(err)
	}
	if _, err := preparing.Exec(t.Context(), "ANALYZE outbox"); err != nil { // else the planner takes it for a table that is read as a whole
		t.Fatal(err)
	}
	closeAll(t, pool, preparing)
	before := rowsRead(t, pool)
	taking := databasetest.Open(t, address)
	if of := tenants(t, outbox.New(taking), most, true); len(of) != most {
		t.Errorf("a batch has %v", of)
	}
	closeAll(t, pool, taking)
	if read := rowsRead(t, pool) - before; read > waiting/2 {
		t.Errorf("taking %d events read %d rows", most, read)
	}
	// No event is left out, wherever the batches begin.
	o := outbox.New(pool)
	came := map[string]int{}
	for range 2 * waiting {
		of := tenants(t, o, most, true)
		if len(of) == 0 {
			break
		}
		for tenant, n := range of {
			came[tenant] += n
		}
	}
	total := most
	for _, n := range came {
		total += n
	}
	if len(came) != waiting || total != 2*waiting {
		t.Errorf("%d events of %d tenants came, want %d of %d", total, len(came), 2*waiting, waiting)
	}
}

// TestTheFloorWaitsForLateRows makes rows visible after rows with higher ids.
func TestTheFloorWaitsForLateRows(t *testing.T) {
	t.Parallel()
	pool := databasetest.New(t)
	o := outbox.New(pool)
	late := begin(t, pool, pgx.TxOptions{}, `
INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at)
VALUES (0, gen_random_uuid(), '/test', 'order_created', 'demo', gen_random_uuid(), '{}', now())`)
	burst(t, pool, "other", 10)
	if got := len(take(t, o)); got != 10 {
		t.Fatalf("%d events came, want 10", got)
	}
	if got := raise(t, o); got != 0 {
		t.Fatalf("the floor is %d, but row 1 is not there yet", got)
	}
	if err := late.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := raise(t, o); got != 0 {
		t.Errorf("the floor is %d, but row 1 is not sent", got)
	}
	if diff := cmp.Diff([]int64{1}, positions(take(t, o))); diff != "" {
		t.Errorf("events that came late: %s", diff)
	}
	if got := raise(t, o); got != 11 {
		t.Errorf("the floor is %d, want 11", got)
	}
	insert(t, pool, 1, 2)
	if diff := cmp.Diff([]int64{12, 13}, positions(take(t, o))); diff != "" {
		t.Error(diff)
	}
}

// TestARowBelowTheFloor is marked as unsent by hand.
func TestARowBelowTheFloor(t *testing.T) {
	t.Parallel()
	pool := databasetest.New(t)
	o := outbox.New(pool)
	burst(t, pool, "demo", 10)
	take(t, o)
	if got := raise(t, o); got != 10 {
		t.Fatalf("the floor is %d, want 10", got)
	}
	if _, err := pool.Exec(t.Context(), "UPDATE outbox SET sent_at = NULL WHERE id = 5"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if got := positions(take(t, o)); len(got) > 0 {
			if diff := cmp.Diff([]int64{5}, got); diff != "" {
				t.Error(diff)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the event never came")
		}
	}
}
