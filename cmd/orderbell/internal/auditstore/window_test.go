package auditstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/cmd/orderbell/internal/auditstore"
	"orderbell/internal/audit"
	"orderbell/internal/store/database/databasetest"
)

// many is the number of orders of the window tests, each with an event, a notification and a mail.
const many = 7

// filled returns a read-only store on a database with one order an hour.
func filled(t *testing.T, start time.Time) *auditstore.Store {
	t.Helper()
	address := databasetest.URL(t)
	pool := databasetest.Open(t, address)
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`INSERT INTO tenants (id, name) VALUES ('demo', 'Demo'), ('kopi', 'Kopi')`)
	for i, tenant := range []string{"demo", "kopi"} {
		exec(`INSERT INTO users (id, tenant_id, email, roles) VALUES ($1, $2, 'x@x.example', '{owner}')`, userID(i), tenant)
	}
	for i := range many {
		at, tenant := start.Add(time.Duration(i)*time.Hour), []string{"demo", "kopi"}[i%2]
		exec(`INSERT INTO orders (id, tenant_id, status, total_amount, currency, version, created_at, updated_at)
			VALUES ($1, $2, 'paid', 1, 'EUR', 2, $3, $3)`, orderOf(i), tenant, at)
		data := fmt.Sprintf(`{"order_id":%q,"tenant_id":%q,"status":"paid","total_amount":1,"currency":"EUR","version":2,"timestamp":"2026-11-24T10:00:00Z"}`,
			orderOf(i), tenant)
		exec(`INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at, sent_at)
			VALUES (0, $1, '/s', 'order_paid', $2, $3, $4, $5, $5)`, eventOf(at), tenant, orderOf(i), []byte(data), at)
		exec(`SELECT ensure_event_record_partitions($1::date, $1::date)`, at)
		exec(`INSERT INTO event_records (event_day, source, event_id, type, tenant_id, order_id, order_version, data_hash, data, occurred_at, received_at, decisions)
			VALUES (($5::timestamptz AT TIME ZONE 'UTC')::date, '/s', $1, 'order_paid', $2, $3, 1, sha256($4), '{}', $5, $5, $6)`,
			eventOf(at), tenant, orderOf(i), []byte(data), at, fmt.Sprintf(`[{"user_id":%q,"channel":"in_app","outcome":"notified","reason":""}]`, userID(i%2)))
		exec(`INSERT INTO notifications (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data)
			VALUES ($1, $2, $3, '/s', $1, 'order_paid', $4, '{}')`, eventOf(at), tenant, userID(i%2), orderOf(i))
		exec(`INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, message_id)
			VALUES ($1, $2, $3, '/s', $1, 'order_paid', $4, '{}', $1::uuid::text)`, eventOf(at), tenant, userID(i%2), orderOf(i))
	}
	return auditstore.New(databasetest.Open(t, address+"&default_transaction_read_only=on"))
}

func userID(i int) string  { return fmt.Sprintf("01a2b3c4-0000-7000-8000-0000000000a%d", i) }
func orderOf(i int) string { return fmt.Sprintf("11111111-1111-4111-8111-11111111111%d", i) }

// eventOf is an id of that time.
func eventOf(at time.Time) string {
	hex := fmt.Sprintf("%012x", at.UnixMilli())
	return hex[:8] + "-" + hex[8:] + "-7000-8000-000000000000"
}

// pages collects all pages of read.
func pages[T any, C comparable](t *testing.T, read func(after C, limit int) ([]T, C, error), limit int) (all []T) {
	t.Helper()
	var after, end C
	for range many + 2 {
		page, next, err := read(after, limit)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, page...); next == end {
			return all
		}
		after = next
	}
	t.Fatal("the pages have no end")
	return nil
}

func TestPages(t *testing.T) {
	t.Parallel()
	// Over midnight, so that records are in two partitions.
	start := time.Now().UTC().Truncate(24 * time.Hour).Add(-3 * time.Hour)
	store := filled(t, start)
	all := audit.Window{Since: start, Until: start.Add(many * time.Hour)}
	inner := audit.Window{Since: start.Add(time.Hour), Until: start.Add(5 * time.Hour)} // 1, 2, 3, 4
	demo := inner
	demo.TenantID = "demo" // 2, 4
	for _, test := range []struct {
		w    audit.Window
		want []int
	}{{all, []int{0, 1, 2, 3, 4, 5, 6}}, {inner, []int{1, 2, 3, 4}}, {demo, []int{2, 4}}} {
		var orders, events []string
		for _, i := range test.want {
			orders, events = append(orders, orderOf(i)), append(events, eventOf(start.Add(time.Duration(i)*time.Hour)))
		}
		for _, limit := range []int{1, 2, 3, many, many + 1} {
			var got []string
			for _, o := range pages(t, func(after string, limit int) ([]audit.Order, string, error) {
				return store.Orders(t.Context(), test.w, after, limit)
			}, limit) {
				got = append(got, o.ID)
				// Version 1 is of the record, version 2 of the outbox.
				if missing := o.Missing(test.w); len(missing) > 0 {
					t.Errorf("order %s misses %v, knows %v", o.ID, missing, o.Known)
				}
			}
			if diff := cmp.Diff(orders, got); diff != "" {
				t.Errorf("orders in pages of %d: %s", limit, diff)
			}
			got = nil
			for _, o := range pages(t, func(after int64, limit int) ([]audit.Outgoing, int64, error) {
				return store.Outbox(t.Context(), test.w, after, limit)
			}, limit) {
				got = append(got, o.EventID)
				if o.Records != 1 || o.Same != 1 || o.SentAt.IsZero() {
					t.Errorf("outgoing %+v", o)
				}
			}
			if diff := cmp.Diff(events, got); diff != "" {
				t.Errorf("outbox in pages of %d: %s", limit, diff)
			}
			got = nil
			for _, r := range pages(t, func(after audit.Place, limit int) ([]audit.Record, audit.Place, error) {
				return store.Records(t.Context(), test.w, after, limit)
			}, limit) {
				got = append(got, r.EventID)
				if len(r.Notified) != 1 || len(r.Mails) != 1 || r.Copies != 1 || r.OrderVersion == nil || *r.OrderVersion != 2 || len(r.Decisions) != 1 {
					t.Errorf("record %+v", r)
				}
			}
			if diff := cmp.Diff(events, got); diff != "" {
				t.Errorf("records in pages of %d: %s", limit, diff)
			}
			for _, table := range []audit.Table{audit.Notifications, audit.Mails} {
				looked := 0
				orphans := pages(t, func(after string, limit int) ([]audit.Orphan, string, error) {
					page, n, next, err := store.Orphans(t.Context(), test.w, table, after, limit)
					looked += n
					return page, next, err
				}, limit)
				if len(orphans) != 0 || looked != len(test.want) {
					t.Errorf("%s in pages of %d: %d rows, orphans %v", table, limit, looked, orphans)
				}
			}
		}
	}
	if _, err := store.Sizes(t.Context(), all); err != nil {
		t.Error(err)
	}
	now, first, err := store.Clock(t.Context())
	if err != nil || time.Since(now).Abs() > time.Minute || first.After(start) || start.Sub(first) > 48*time.Hour {
		t.Errorf("clock %s, first day %s, %v", now, first, err)
	}
	missing, err := store.Unrecorded(t.Context(), []string{eventOf(start), eventID, "no uuid"})
	if diff := cmp.Diff(map[string]bool{eventOf(start): false, eventID: true, "no uuid": true}, with(missing, eventOf(start))); err != nil || diff != "" {
		t.Error(err, diff)
	}
	present, err := store.Users(t.Context(), []string{userID(0), eventID})
	if diff := cmp.Diff(map[string]bool{userID(0): true}, present); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// with gives id an entry, if it has none.
func with(m map[string]bool, id string) map[string]bool {
	m[id] = m[id] || false
	return m
}
