package orderstore_test

import (
	"errors"
	"testing"
	"time"

	"orderbell/internal/order"
)

// TestTenantsAreApartByTheStatements asks as another tenant without row-level security, so that the conditions of the statements alone
// decide.
func TestTenantsAreApartByTheStatements(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.pool.Exec(t.Context(), "ALTER TABLE orders DISABLE ROW LEVEL SECURITY; ALTER TABLE order_changes DISABLE ROW LEVEL SECURITY"); err != nil {
		t.Fatal(err)
	}
	paid := b.change(t, b.create(t), order.Paid)
	cancelled := b.change(t, b.create(t), order.Cancelled)
	from, to := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for of, want := range map[string]int{tenant: 1, "other": 0} {
		made, err := b.store.Made(t.Context(), of, from, to)
		if err != nil || made[order.Paid] != want || made[order.Cancelled] != want {
			t.Errorf("orders made by %s: %v, %v, want %d of each state", of, made, err, want)
		}
		counts, err := b.store.Count(t.Context(), of, from, to)
		if err != nil || counts[order.Paid] != want || counts[order.Cancelled] != want {
			t.Errorf("orders of %s: %v, %v, want %d of each state", of, counts, err, want)
		}
		takings, err := b.store.Takings(t.Context(), of, from, to)
		if err != nil || len(takings) != want {
			t.Errorf("takings of %s: %+v, %v, want %d", of, takings, err, want)
		}
	}
	foreign := request("", "")
	foreign.TenantID = "other"
	if _, err := b.undo(cancelled, foreign); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("another tenant's undo: %v", err)
	}
	if _, err := b.store.Change(t.Context(), paid.ID, order.Preparing, foreign); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("another tenant's change: %v", err)
	}
	if now, err := b.store.Get(t.Context(), tenant, cancelled.ID); err != nil || now.Status != order.Cancelled {
		t.Errorf("after that, the order is %+v, %v", now, err)
	}
}
