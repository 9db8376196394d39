package orderstore_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/event"
	"orderbell/internal/order"
)

func TestParallelPaysPayOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := b.create(t)
	var paid, refused atomic.Int32
	together(100, func(int) {
		a, err := b.store.Change(context.Background(), o.ID, order.Paid, request("", ""))
		var transition *order.TransitionError
		switch {
		case err == nil && a.Order.Version == 2:
			paid.Add(1)
		case errors.As(err, &transition) && *transition == order.TransitionError{From: order.Paid, To: order.Paid}:
			refused.Add(1)
		default:
			t.Errorf("answer %+v, error %v", a, err)
		}
	})
	if paid.Load() != 1 || refused.Load() != 99 {
		t.Errorf("%d paid and %d refused, want 1 and 99", paid.Load(), refused.Load())
	}
	if n := b.count(t, "outbox"); n != 2 {
		t.Errorf("the outbox has %d rows, want 2", n)
	}
}

// TestParallelChangesHaveGaplessVersions changes many orders from many goroutines at once: whichever wins, each order's outbox
// rows carry versions 1, 2, 3, … in the order of their ids and never go back in time.
func TestParallelChangesHaveGaplessVersions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const orders = 5
	var ids []string
	for range orders {
		ids = append(ids, b.create(t).ID)
	}
	together(60, func(i int) {
		steps := order.Statuses()[1:5]
		for _, next := range steps {
			_, err := b.store.Change(context.Background(), ids[i%orders], next, request("", ""))
			var transition *order.TransitionError
			if err != nil && !errors.As(err, &transition) {
				t.Errorf("change to %s: %v", next, err)
			}
		}
	})
	last := map[string]event.Data{}
	for _, row := range b.outbox(t) {
		d, err := event.ParseData(row.Data)
		if err != nil {
			t.Fatal(err)
		}
		before := last[row.OrderID]
		if d.Version != before.Version+1 || d.Timestamp.Before(before.Timestamp) {
			t.Errorf("order %s: version %d of %s follows version %d of %s", row.OrderID, d.Version, d.Timestamp, before.Version, before.Timestamp)
		}
		last[row.OrderID] = d
	}
	for _, id := range ids {
		o, err := b.store.Get(t.Context(), tenant, id)
		if err != nil {
			t.Fatal(err)
		}
		if o.Version != last[id].Version || o.Status != last[id].Status || o.Status != order.Completed {
			t.Errorf("order is %s in version %d, its last event %s in version %d", o.Status, o.Version, last[id].Status, last[id].Version)
		}
	}
}

// TestAChangeThatWaitsIsOfLaterTime holds an order's row lock until a change waits for it: the time of the change is
// taken after the wait.
func TestAChangeThatWaitsIsOfLaterTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := b.change(t, b.create(t), order.Paid)
	tx, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), "SELECT FROM orders WHERE id = $1 FOR UPDATE", o.ID); err != nil {
		t.Fatal(err)
	}
	changed := make(chan order.Order, 1)
	go func() {
		a, err := b.store.Change(context.Background(), o.ID, order.Ready, request("", ""))
		if err != nil {
			t.Error(err)
		}
		changed <- a.Order
	}()
	for waiting := false; !waiting && len(changed) == 0; {
		err := b.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
	var before time.Time
	err = tx.QueryRow(t.Context(), `UPDATE orders SET status = 'preparing', version = version + 1, updated_at = clock_timestamp()
		WHERE id = $1 RETURNING updated_at`, o.ID).Scan(&before)
	if err := errors.Join(err, tx.Commit(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got := <-changed; got.Version != 4 || !got.UpdatedAt.After(before) {
		t.Errorf("version 3 is of %s, version %d of %s", before, got.Version, got.UpdatedAt)
	}
}

func TestARepeatedCreateGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, err := b.store.Create(t.Context(), lunch(), request("key", "create"))
	if err != nil || first.Repeated {
		t.Fatalf("repeated %t, error %v", first.Repeated, err)
	}
	b.change(t, first.Order, order.Paid) // the first answer does not change
	again, err := b.store.Create(t.Context(), lunch(), request("key", "create"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(order.Answer{Order: first.Order, Repeated: true}, again); diff != "" {
		t.Error(diff)
	}
	if _, err := b.store.Create(t.Context(), lunch(), request("key", "another")); !errors.Is(err, order.ErrKeyReused) {
		t.Errorf("another request with the key: %v, want ErrKeyReused", err)
	}
	elsewhere := request("key", "create")
	elsewhere.TenantID = "other"
	if a, err := b.store.Create(t.Context(), lunch(), elsewhere); err != nil || a.Repeated {
		t.Errorf("another tenant's same key: repeated %t, error %v", a.Repeated, err)
	}
	if n := b.count(t, "orders"); n != 2 {
		t.Errorf("there are %d orders, want 2", n)
	}
}

func TestParallelCreatesWithOneKeyCreateOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var answers [50]order.Answer
	together(len(answers), func(i int) {
		var err error
		if answers[i], err = b.store.Create(context.Background(), lunch(), request("key", "create")); err != nil {
			t.Error(err)
		}
	})
	var firsts int
	for _, a := range answers {
		if !a.Repeated {
			firsts++
		}
		if diff := cmp.Diff(answers[0].Order, a.Order); diff != "" {
			t.Fatal(diff)
		}
	}
	if firsts != 1 || b.count(t, "orders") != 1 || b.count(t, "outbox") != 1 {
		t.Errorf("%d firsts, %d orders, %d events, want 1 each", firsts, b.count(t, "orders"), b.count(t, "outbox"))
	}
}

func TestARepeatedChangeGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := b.create(t)
	first, err := b.store.Change(t.Context(), o.ID, order.Paid, request("key", "pay"))
	if err != nil || first.Repeated {
		t.Fatalf("repeated %t, error %v", first.Repeated, err)
	}
	b.change(t, o, order.Completed)
	again, err := b.store.Change(t.Context(), o.ID, order.Paid, request("key", "pay"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(order.Answer{Order: first.Order, Repeated: true}, again); diff != "" {
		t.Error(diff)
	}
	other := b.create(t)
	if _, err := b.store.Change(t.Context(), other.ID, order.Paid, request("key", "pay the other")); !errors.Is(err, order.ErrKeyReused) {
		t.Errorf("another request with the key: %v, want ErrKeyReused", err)
	}
	if got, err := b.store.Get(t.Context(), tenant, other.ID); err != nil || got.Status != order.Submitted {
		t.Errorf("the other order is %s, error %v", got.Status, err)
	}
}

func TestParallelChangesWithOneKeyChangeOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := b.create(t)
	var firsts atomic.Int32
	together(50, func(int) {
		a, err := b.store.Change(context.Background(), o.ID, order.Paid, request("key", "pay"))
		if err != nil || a.Order.Version != 2 {
			t.Errorf("version %d, error %v", a.Order.Version, err)
		}
		if !a.Repeated {
			firsts.Add(1)
		}
	})
	if firsts.Load() != 1 || b.count(t, "outbox") != 2 {
		t.Errorf("%d firsts and %d events, want 1 and 2", firsts.Load(), b.count(t, "outbox"))
	}
}

// TestOneKeyForManyOrders uses one key for many orders at once: one request succeeds, the others are refused.
func TestOneKeyForManyOrders(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var ids []string
	for range 20 {
		ids = append(ids, b.create(t).ID)
	}
	var won, told atomic.Int32
	together(len(ids), func(i int) {
		_, err := b.store.Change(context.Background(), ids[i], order.Paid, request("key", "pay "+ids[i]))
		switch {
		case err == nil:
			won.Add(1)
		case errors.Is(err, order.ErrKeyReused):
			told.Add(1)
		default:
			t.Error(err)
		}
	})
	if won.Load() != 1 || told.Load() != 19 {
		t.Errorf("%d succeeded and %d were refused, want 1 and 19", won.Load(), told.Load())
	}
	if n := b.count(t, "outbox"); n != 21 {
		t.Errorf("the outbox has %d rows, want 21", n)
	}
}

func TestARefusedChangeLeavesItsKeyFree(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := b.create(t)
	var transition *order.TransitionError
	if _, err := b.store.Change(t.Context(), o.ID, order.Ready, request("key", "ready")); !errors.As(err, &transition) {
		t.Fatalf("error is %v, want a TransitionError", err)
	}
	b.change(t, o, order.Paid)
	if a, err := b.store.Change(t.Context(), o.ID, order.Ready, request("key", "ready")); err != nil || a.Repeated {
		t.Errorf("repeated %t, error %v", a.Repeated, err)
	}
}

func TestForgetKeysRemovesTheOldest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, key := range []string{"one", "two", "three"} {
		if _, err := b.store.Create(t.Context(), lunch(), request(key, key)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.pool.Exec(t.Context(), "UPDATE idempotency_keys SET created_at = now() - interval '2 days' WHERE key <> 'three'"); err != nil {
		t.Fatal(err)
	}
	var removed []int64
	for range 3 {
		n, err := b.store.ForgetKeys(t.Context(), time.Now().Add(-24*time.Hour), 1)
		if err != nil {
			t.Fatal(err)
		}
		removed = append(removed, n)
	}
	if !slices.Equal(removed, []int64{1, 1, 0}) || b.count(t, "idempotency_keys") != 1 {
		t.Errorf("removed %v, %d left, want [1 1 0] and 1", removed, b.count(t, "idempotency_keys"))
	}
}
