//go:build chaos

package chaos_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// plantDamage shows that the checks can fail: it damages the data of the last fault in one place at a time, and expects the
// check of that place to name the damaged row.
func (w *world) plantDamage(t *testing.T) {
	e := w.last
	if e == nil {
		t.Fatal("no fault ran before")
	}
	mails := e.tenants[2].id
	var victim, order string // an order_paid event of the tenant with mails
	if err := w.db.QueryRow(t.Context(), `SELECT event_id::text, order_id::text FROM outbox WHERE tenant_id = $1 AND type = 'order_paid'
		ORDER BY id DESC LIMIT 1`, mails).Scan(&victim, &order); err != nil {
		t.Fatal(err)
	}
	for _, b := range []struct{ harm, arg, what, names string }{
		{`DELETE FROM outbox WHERE event_id = $1`, victim, "order whose changes are not in the outbox", order},
		{`UPDATE outbox SET sent_at = NULL WHERE event_id = $1`, victim, "event that was not sent", victim},
		{`DELETE FROM event_records WHERE event_id = $1`, victim, "event without a record", victim},
		{`INSERT INTO event_records (event_day, source, event_id, type, tenant_id, order_id, order_version, data_hash, data, occurred_at, decisions)
			SELECT event_day, source || '/again', event_id, type, tenant_id, order_id, order_version, data_hash, data, occurred_at, decisions
			FROM event_records WHERE event_id = $1`, victim, "event with several records", victim},
		{`DELETE FROM notifications WHERE event_id = $1`, victim, "user without a notification", victim},
		{`INSERT INTO notifications (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data)
			SELECT gen_random_uuid(), tenant_id, user_id, event_source || '/again', event_id, event_type, order_id, data
			FROM notifications WHERE event_id = $1 LIMIT 1`, victim, "user with a notification too many", victim},
		{`DELETE FROM email_deliveries WHERE event_id = $1`, victim, "user without a mail", victim},
		{`UPDATE orders SET version = version - 1 WHERE id = $1`, order, "order or change that was acknowledged and is missing", order},
		{`UPDATE orders SET status = 'refunded' WHERE id = $1`, order, "order with a wrong state in the list of the owner of " + mails, order},
		{`UPDATE orders SET status = 'refunded' WHERE id = $1`, order, "order with a wrong state in the list of the cashier of " + mails, order},
	} {
		tx, err := w.db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if tag, err := tx.Exec(t.Context(), b.harm, b.arg); err != nil || tag.RowsAffected() == 0 {
			t.Fatalf("%s: %v, %d rows", b.harm, err, tag.RowsAffected())
		}
		w.expect(t, tx, b.what, b.names)
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stream := "orders:{" + mails + "}:stream"
	entries, err := w.memory.XRevRangeN(t.Context(), stream, "+", "-", 1).Result()
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d entries in %s: %v", len(entries), stream, err)
	}
	id, err := eventOf(entries[0])
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.memory.XAdd(t.Context(), &redis.XAddArgs{Stream: stream, Values: entries[0].Values}).Result()
	if err != nil {
		t.Fatal(err)
	}
	w.expect(t, w.db, "event that is duplicated in the stream of "+mails, id)
	if err := w.memory.XDel(t.Context(), stream, entries[0].ID, again).Err(); err != nil {
		t.Fatal(err)
	}
	w.expect(t, w.db, "event that is not in the stream of "+mails, id)
	// Last, because it is not undone: `orderbell verify` has to name this row.
	var user string
	if err := w.db.QueryRow(t.Context(), `DELETE FROM notifications WHERE event_id = $1 AND user_id = $2 RETURNING user_id::text`,
		victim, e.tenants[2].owner().id).Scan(&user); err != nil {
		t.Fatal(err)
	}
	a, err := w.audit(t.Context(), e.started, w.redisLost)
	if err != nil {
		t.Fatal(err)
	}
	named := false
	for _, o := range a.Offenders {
		named = named || o.Check == "notifications" && o.EventID == victim && o.UserID == user
	}
	if !named {
		t.Errorf("the notification of event %s for %s was deleted, and orderbell verify reports %v", victim, user, a.err())
	}
	t.Log(a.err())
}

// expect fails if the check does not name id.
func (w *world) expect(t *testing.T, q querier, what, id string) {
	t.Helper()
	found, err := w.last.verify(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.what == what && slices.ContainsFunc(f.which, func(s string) bool { return strings.HasPrefix(s, id) }) {
			return
		}
	}
	t.Errorf("%q does not name %s; found %v", what, id, found)
}
