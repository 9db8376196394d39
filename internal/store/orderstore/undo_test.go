package orderstore_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/event"
	"orderbell/internal/order"
	"orderbell/internal/text/texttest"
)

func (b bundle) undo(o order.Order, r order.Request) (order.Answer, error) {
	return b.store.Undo(context.Background(), o.ID, o.Version, order.Undoable(), r)
}

// lastEvent is the newest event of the outbox.
func (b bundle) lastEvent(t *testing.T) (event.Type, event.Data) {
	t.Helper()
	rows := b.outbox(t)
	last := rows[len(rows)-1]
	data, err := event.ParseData(last.Data)
	if err != nil {
		t.Fatalf("%v in %s", err, last.Data)
	}
	return event.Type(last.Type), data
}

func TestUndoBringsBackTheStateBefore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, steps := range map[string][]order.Status{
		"preparing, to paid":      {order.Paid, order.Preparing},
		"ready, to preparing":     {order.Paid, order.Preparing, order.Ready},
		"ready, to paid":          {order.Paid, order.Ready},
		"completed, to ready":     {order.Paid, order.Ready, order.Completed},
		"cancelled, to submitted": {order.Cancelled},
	} {
		before, now := order.Order{}, b.create(t)
		for _, next := range steps {
			before, now = now, b.change(t, now, next)
		}
		if want := now.UpdatedAt.Add(order.UndoFor); now.UndoUntil() != want {
			t.Errorf("%s: it can be undone until %s, want %s", name, now.UndoUntil(), want)
		}
		answer, err := b.undo(now, request("", ""))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := before
		want.Version, want.UpdatedAt, want.UndoStatus = now.Version+1, answer.Order.UpdatedAt, ""
		if diff := cmp.Diff(want, answer.Order); diff != "" || !answer.Order.UpdatedAt.After(now.UpdatedAt) {
			t.Errorf("%s: %s", name, diff)
		}
		kind, data := b.lastEvent(t)
		told := event.Data{
			OrderID: want.ID, TenantID: tenant, Status: before.Status, Reference: want.Reference, TotalAmount: want.TotalAmount,
			Currency: want.Currency, Version: want.Version, Timestamp: want.UpdatedAt, Undone: now.Status, Actor: actor(),
		}
		if diff := cmp.Diff(told, data); diff != "" || kind != event.OrderStatusUpdated {
			t.Errorf("%s: event %s: %s", name, kind, diff)
		}
		var undo *order.UndoError
		if _, err := b.undo(answer.Order, request("", "")); !errors.As(err, &undo) || !strings.Contains(err.Error(), "cannot be undone") {
			t.Errorf("%s: an undo is undone: %v", name, err)
		}
	}
}

func TestWhatCannotBeUndone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.create(t)
	paid := b.change(t, b.create(t), order.Paid)
	refunded := b.change(t, b.change(t, b.change(t, b.create(t), order.Paid), order.Ready), order.Refunded)
	old := b.change(t, paid, order.Preparing)
	ready := b.change(t, b.change(t, b.create(t), order.Paid), order.Ready)
	late := b.change(t, b.change(t, b.create(t), order.Paid), order.Ready)
	if _, err := b.pool.Exec(t.Context(), "UPDATE orders SET updated_at = updated_at - interval '61 s' WHERE id = $1", late.ID); err != nil {
		t.Fatal(err)
	}
	b.change(t, old, order.Ready)
	events := b.count(t, "outbox")
	for name, c := range map[string]struct {
		o      order.Order
		states []order.Status
		says   string
	}{
		"a new order":                   {made, order.Undoable(), "submitted, cannot be undone"},
		"a refund":                      {refunded, order.Undoable(), "refunded, cannot be undone"},
		"a change that is not the last": {old, order.Undoable(), "version 3 is not the latest change: the order is at version 4"},
		"a change long ago":             {late, order.Undoable(), "older than 60 seconds"},
		"a state that is not theirs":    {ready, []order.Status{order.Preparing}, "your roles may not undo a change to ready"},
	} {
		var undo *order.UndoError
		if _, err := b.store.Undo(t.Context(), c.o.ID, c.o.Version, c.states, request("", "")); !errors.As(err, &undo) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want …%s…", name, err, c.says)
		}
	}
	if got := b.change(t, b.create(t), order.Paid); got.UndoStatus != "" {
		t.Errorf("a payment can be undone: %+v", got)
	}
	elsewhere := request("", "")
	elsewhere.TenantID = "other"
	if _, err := b.undo(ready, elsewhere); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("another tenant's undo: %v", err)
	}
	if n := b.count(t, "outbox"); n != events+2 {
		t.Errorf("refused undos made %d events", n-events-2)
	}
}

func TestParallelUndosUndoOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := b.change(t, b.change(t, b.create(t), order.Paid), order.Preparing)
	var undone, refused, replayed atomic.Int32
	together(50, func(i int) {
		r := request("", "")
		if i%2 == 0 {
			r = request("key", "undo")
		}
		a, err := b.undo(o, r)
		var undo *order.UndoError
		switch {
		case errors.As(err, &undo):
			refused.Add(1)
		case err != nil || a.Order.Version != 4 || a.Order.Status != order.Paid:
			t.Errorf("answer %+v, error %v", a, err)
		case a.Repeated:
			replayed.Add(1)
		default:
			undone.Add(1)
		}
	})
	if undone.Load() != 1 || b.count(t, "outbox") != 4 || b.count(t, "order_changes") != 4 {
		t.Errorf("%d undone, %d refused, %d replayed, %d events, %d changes: want 1 undone, 4 events and changes",
			undone.Load(), refused.Load(), replayed.Load(), b.count(t, "outbox"), b.count(t, "order_changes"))
	}
}

func TestTheActorHasTheirName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const ana = "01a2b3c4-0000-7000-8000-000000000001"
	_, err := b.pool.Exec(t.Context(), `INSERT INTO users (id, tenant_id, email, name, roles) VALUES ($1, 'acme', 'ana@acme.example', E'Ana "A"\n', '{owner}')`, ana)
	if err != nil {
		t.Fatal(err)
	}
	r := request("", "")
	for actorID, want := range map[string]event.Actor{ana: {UserID: ana, Name: `Ana "A"`}, "": {}, "01a2b3c4-0000-7000-8000-000000000002": {UserID: "01a2b3c4-0000-7000-8000-000000000002"}} {
		r.ActorID = actorID
		if _, err := b.store.Create(t.Context(), lunch(), r); err != nil {
			t.Fatal(err)
		}
		if _, data := b.lastEvent(t); data.Actor != want {
			t.Errorf("the actor is %+v, want %+v", data.Actor, want)
		}
	}
}

// Rows that are older than the rule for names make events that the contract accepts.
func TestNamesOfBeforeTheRule(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const ana = "01a2b3c4-0000-7000-8000-000000000001"
	if _, err := b.pool.Exec(t.Context(), `INSERT INTO users (id, tenant_id, email, roles) VALUES ($1, 'acme', 'ana@acme.example', '{owner}')`, ana); err != nil {
		t.Fatal(err)
	}
	change := func(name string) event.Data {
		o := b.create(t)
		if _, err := b.pool.Exec(t.Context(), `WITH u AS (UPDATE users SET name = $1 WHERE id = $2) UPDATE orders SET reference = $1 WHERE id = $3`, name, ana, o.ID); err != nil {
			t.Fatalf("%+q: %v", name, err)
		}
		r := request("", "")
		r.ActorID = ana
		if _, err := b.store.Change(t.Context(), o.ID, order.Paid, r); err != nil {
			t.Fatalf("%+q: %v", name, err)
		}
		outbox := b.outbox(t)
		data, err := event.ParseData(outbox[len(outbox)-1].Data)
		if err != nil {
			t.Errorf("%+q: %v", name, err)
		}
		if data.Reference != data.Actor.Name {
			t.Errorf("%+q: the reference is %+q, the actor's name %+q", name, data.Reference, data.Actor.Name)
		}
		return data
	}
	cases := texttest.Read(t)
	for _, good := range cases.Accepted {
		if got := change(good).Reference; got != good {
			t.Errorf("%+q became %+q", good, got)
		}
	}
	for _, bad := range cases.Refused {
		if !strings.Contains(bad.Text, "\x00") { // PostgreSQL has none
			change(bad.Text)
		}
	}
	if got := change("A\u202e12\u00ad3").Reference; got != "A123" {
		t.Errorf("the reference is %+q, want what is left of it", got)
	}
}

func TestAReferenceThatIsUsedAlready(t *testing.T) {
	t.Parallel()
	b := setup(t)
	create := func(reference, key string) order.Answer {
		t.Helper()
		a, err := b.store.Create(t.Context(), order.Order{Reference: reference, TotalAmount: 1, Currency: "EUR"}, request(key, key))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	first := create("A-1", "")
	if first.DuplicateOf != "" || create("A-2", "").DuplicateOf != "" || create("", "").DuplicateOf != "" || create("", "").DuplicateOf != "" {
		t.Error("a new reference, or none, is called a duplicate")
	}
	for range 2 {
		if got := create("A-1", "key").DuplicateOf; got != first.Order.ID {
			t.Errorf("the second is a duplicate of %q, want %s", got, first.Order.ID)
		}
	}
	if _, err := b.pool.Exec(t.Context(), "UPDATE orders SET created_at = created_at - interval '13 h'"); err != nil {
		t.Fatal(err)
	}
	if create("A-1", "").DuplicateOf == "" {
		t.Error("an open order of yesterday is not a duplicate")
	}
	if _, err := b.pool.Exec(t.Context(), "UPDATE orders SET created_at = created_at - interval '13 h', status = 'completed'"); err != nil {
		t.Fatal(err)
	}
	if got := create("A-1", "").DuplicateOf; got != "" {
		t.Errorf("a completed order of yesterday is a duplicate: %s", got)
	}
}
