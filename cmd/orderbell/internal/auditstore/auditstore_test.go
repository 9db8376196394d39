package auditstore_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/cmd/orderbell/internal/auditstore"
	"orderbell/internal/audit"
	"orderbell/internal/event"
	"orderbell/internal/store/database/databasetest"
)

const (
	tenant  = "demo"
	orderID = "11111111-1111-4111-8111-111111111111"
	eventID = "01a2b3c4-0000-7000-8000-0000000000e1"
	ana     = "01a2b3c4-0000-7000-8000-0000000000a1"
	budi    = "01a2b3c4-0000-7000-8000-0000000000b1"
)

func TestTrail(t *testing.T) {
	t.Parallel()
	pool := databasetest.New(t)
	store := auditstore.New(pool)
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	trail := func() audit.Trail {
		t.Helper()
		got, err := store.Trail(t.Context(), eventID)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	at := time.Now().UTC().Truncate(time.Second)
	same := cmp.Comparer(time.Time.Equal)

	if diff := cmp.Diff(audit.Trail{Notified: []string{}, Mails: []audit.Delivery{}}, trail(), same); diff != "" {
		t.Errorf("an event that does not exist:\n%s", diff)
	}
	exec(`INSERT INTO tenants (id, name) VALUES ($1, 'Demo')`, tenant)
	for _, user := range []string{budi, ana} {
		exec(`INSERT INTO users (id, tenant_id, email, roles) VALUES ($1, $2, $3, '{owner}')`, user, tenant, user+"@demo.example")
	}
	exec(`INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at, sent_at)
		VALUES (0, $1, '/s', 'order_paid', $2, $3, '{"a": 1}', $4, $4)`, eventID, tenant, orderID, at)
	exec(`INSERT INTO event_records (event_day, source, event_id, type, tenant_id, order_id, order_version, data_hash, data, occurred_at, received_at)
		VALUES ($4, '/s', $1, 'order_paid', $2, $3, 2, '', '{}', $5, $5)`, eventID, tenant, orderID, at, at)
	for _, user := range []string{budi, ana} {
		exec(`INSERT INTO notifications (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data)
			VALUES (gen_random_uuid(), $1, $2, '/s', $3, 'order_paid', $4, '{}')`, tenant, user, eventID, orderID)
	}
	exec(`INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, message_id, status, attempt, sent_at)
		VALUES (gen_random_uuid(), $1, $2, '/s', $3, 'order_paid', $4, '{}', 'm', 'sent', 1, $5)`, tenant, ana, eventID, orderID, at)

	want := audit.Trail{
		SentAt: at, Records: 1, ReceivedAt: at, Notified: []string{ana, budi},
		Mails: []audit.Delivery{{UserID: ana, Status: "sent", Attempt: 1, SentAt: at}},
	}
	if diff := cmp.Diff(want, trail(), same); diff != "" {
		t.Error(diff)
	}
	out, err := store.Outgoing(t.Context(), orderID)
	if err != nil {
		t.Fatal(err)
	}
	wantOut := []event.Outgoing{{
		Position: 1, ID: eventID, Source: "/s", Type: event.OrderPaid, TenantID: tenant, OrderID: orderID, Time: at, Raw: []byte(`{"a": 1}`),
	}}
	if diff := cmp.Diff(wantOut, out, same); diff != "" {
		t.Error(diff)
	}
}
