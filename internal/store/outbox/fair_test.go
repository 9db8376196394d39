package outbox_test

import (
	"context"
	"testing"

	"orderbell/internal/event"
	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/outbox"
)

// burst adds n events of the tenant to the outbox, each of another order, all in shard 0.
func burst(t *testing.T, pool *database.Pool, tenant string, n int) {
	t.Helper()
	_, err := pool.Exec(t.Context(), `
INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at)
SELECT 0, gen_random_uuid(), '/test', 'order_created', $1, gen_random_uuid(), '{}', now() FROM generate_series(1, $2)`, tenant, n)
	if err != nil {
		t.Fatal(err)
	}
}

// tenants counts the events of the next batch by tenant. It marks them if sent.
func tenants(t *testing.T, o *outbox.Outbox, most int, sent bool) map[string]int {
	t.Helper()
	of := map[string]int{}
	_, err := o.Take(t.Context(), 0, 1, most, func(_ context.Context, events []event.Outgoing) []int64 {
		for _, e := range events {
			of[e.TenantID]++
		}
		if !sent {
			return nil
		}
		return positions(events)
	})
	if err != nil {
		t.Fatal(err)
	}
	return of
}

func TestTakeIsFair(t *testing.T) {
	t.Parallel()
	t.Run("the first event of a tenant does not wait for the burst of another", func(t *testing.T) {
		t.Parallel()
		pool := databasetest.New(t)
		o := outbox.New(pool)
		burst(t, pool, "busy", 1000)
		burst(t, pool, "quiet", 1)
		burst(t, pool, "zen", 2)
		got := tenants(t, o, 100, true)
		if got["quiet"] != 1 || got["zen"] != 2 || got["busy"] < 60 {
			t.Errorf("the first batch has %v", got)
		}
	})
	t.Run("two busy tenants share a batch, and it is full", func(t *testing.T) {
		t.Parallel()
		pool := databasetest.New(t)
		o := outbox.New(pool)
		burst(t, pool, "first", 1000)
		burst(t, pool, "second", 1000)
		if got := tenants(t, o, 100, true); got["first"] != 50 || got["second"] != 50 {
			t.Errorf("a batch has %v", got)
		}
	})
	t.Run("more tenants than a batch has room for are served by age", func(t *testing.T) {
		t.Parallel()
		pool := databasetest.New(t)
		o := outbox.New(pool)
		for _, name := range []string{"e", "d", "c", "b", "a"} {
			burst(t, pool, name, 3)
		}
		if got := tenants(t, o, 2, false); len(got) != 2 || got["e"] != 1 || got["d"] != 1 {
			t.Errorf("a batch has %v", got)
		}
	})
	t.Run("a batch has an order's events in order, without a gap", func(t *testing.T) {
		t.Parallel()
		pool := databasetest.New(t)
		o := outbox.New(pool)
		burst(t, pool, "busy", 50)
		insert(t, pool, 0, 30)
		burst(t, pool, "busy", 50)
		var last int64
		for range 100 {
			n, err := o.Take(t.Context(), 0, 1, 10, func(_ context.Context, events []event.Outgoing) []int64 {
				for _, e := range events {
					if e.TenantID == "demo" {
						if e.Position <= last {
							t.Errorf("position %d after %d", e.Position, last)
						}
						last = e.Position
					}
				}
				return positions(events)
			})
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				return
			}
		}
		t.Error("the outbox never became empty")
	})
}
