package orderapi_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"orderbell/functions/internal/orderapi"
	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/event"
	"orderbell/internal/order"
	"orderbell/internal/user"
)

const (
	ana  = "01a2b3c4-0000-7000-8000-000000000001"
	budi = "01a2b3c4-0000-7000-8000-000000000002"
	gone = "01a2b3c4-0000-7000-8000-000000000003"
)

func (b bundle) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := b.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// as returns the header of a user's own token.
func (b bundle) as(t *testing.T, userID, tenant string, role user.Role) []string {
	t.Helper()
	return []string{"Authorization", "Bearer " + authtest.Token(t, b.tokens, auth.Principal{UserID: userID, TenantID: tenant, Roles: []user.Role{role}})}
}

// decide writes what a function decided about the event of an order's version.
func (b bundle) decide(t *testing.T, orderID string, version int, decisions string) (eventID string) {
	t.Helper()
	err := b.pool.QueryRow(t.Context(), `INSERT INTO event_records
		(event_day, source, event_id, type, tenant_id, order_id, order_version, data_hash, data, occurred_at, decisions)
		SELECT (changed_at AT TIME ZONE 'UTC')::date, $4, event_id, 'order_paid', tenant_id, order_id, version, '', '{}', changed_at, $3::jsonb
		FROM order_changes WHERE order_id = $1 AND version = $2 RETURNING event_id::text`, orderID, version, decisions, event.Source).Scan(&eventID)
	if err != nil {
		t.Fatal(err)
	}
	return eventID
}

func (b bundle) mail(t *testing.T, orderID, eventID, userID, status, reason string) {
	t.Helper()
	b.exec(t, `INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, message_id, status, reason, sent_at)
		VALUES (gen_random_uuid(), 'acme', $1, $2, $3, 'order_paid', $4, '{}', gen_random_uuid()::text, $5, $6, CASE $5 WHEN 'sent' THEN now() END)`,
		userID, event.Source, eventID, orderID, status, reason)
}

func setupHistory(t *testing.T) (b bundle, id string) {
	t.Helper()
	b = setup(t)
	for _, u := range []struct{ id, name string }{{ana, "Ana"}, {budi, "Budi"}} {
		b.exec(t, `INSERT INTO users (id, tenant_id, email, name, roles) VALUES ($1, 'acme', $2 || '@acme.example', $2, '{manager}')`, u.id, u.name)
	}
	id = b.create(t).OrderID
	cashier := b.as(t, budi, "acme", user.Cashier)
	decode[orderapi.Order](t, b.do(t, call{"POST", "/api/orders/" + id + "/pay", "", cashier}), http.StatusOK)
	decode[orderapi.Order](t, b.do(t, call{"POST", "/api/orders/" + id + "/status", `{"status":"ready"}`, cashier}), http.StatusOK)
	decode[orderapi.Order](t, b.do(t, call{"POST", "/api/orders/" + id + "/undo", `{"version":3}`, cashier}), http.StatusOK)
	paid := b.decide(t, id, 2, fmt.Sprintf(`[
		{"user_id":%q,"channel":"in_app","outcome":"notified","reason":""},
		{"user_id":%[1]q,"channel":"email","outcome":"due","reason":""},
		{"user_id":%[2]q,"channel":"email","outcome":"deferred","reason":"quiet hours"},
		{"user_id":%[2]q,"channel":"in_app","outcome":"suppressed","reason":"preference"},
		{"user_id":%[3]q,"channel":"email","outcome":"due","reason":""}]`, ana, budi, gone))
	b.mail(t, id, paid, ana, "failed", "550 no such user")
	b.mail(t, id, paid, budi, "due", "")
	b.decide(t, id, 4, `[]`)
	return b, id
}

func TestHistoryTellsWhoWhenAndWhoWasTold(t *testing.T) {
	t.Parallel()
	b, id := setupHistory(t)
	got := decode[orderapi.History](t, b.do(t, call{"GET", "/api/orders/" + id + "/history", "", b.as(t, ana, "acme", user.Manager)}), http.StatusOK)
	for i := range got.Changes {
		c := &got.Changes[i]
		if _, err := uuid.Parse(c.EventID); err != nil || c.ChangedAt.IsZero() {
			t.Errorf("change %+v: event id %v", c, err)
		}
		c.EventID, c.ChangedAt = "", order.Order{}.CreatedAt
	}
	by := &event.Actor{UserID: budi, Name: "Budi"}
	want := orderapi.History{OrderID: id, Changes: []orderapi.Change{
		{Version: 4, Status: order.Paid, Undone: order.Ready, Actor: by, Decided: true, Told: []orderapi.Told{}},
		{Version: 3, Status: order.Ready, Actor: by, Told: []orderapi.Told{}},
		{Version: 2, Status: order.Paid, Actor: by, Decided: true, Told: []orderapi.Told{
			{UserID: gone, Channel: "email", Outcome: order.Forgotten},
			{UserID: ana, Name: "Ana", Channel: "in_app", Outcome: order.Notified},
			{UserID: ana, Name: "Ana", Channel: "email", Outcome: order.Failed, Reason: "550 no such user"},
			{UserID: budi, Name: "Budi", Channel: "email", Outcome: order.Deferred, Reason: "quiet hours"},
			{UserID: budi, Name: "Budi", Channel: "in_app", Outcome: order.Suppressed, Reason: "preference"},
		}},
		{Version: 1, Status: order.Submitted, Actor: &event.Actor{UserID: "somebody"}, Told: []orderapi.Told{}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestHistoryShowsOthersTheirOwnPart(t *testing.T) {
	t.Parallel()
	b, id := setupHistory(t)
	for _, role := range []user.Role{user.Cashier, user.Kitchen, user.Viewer} {
		got := decode[orderapi.History](t, b.do(t, call{"GET", "/api/orders/" + id + "/history", "", b.as(t, budi, "acme", role)}), http.StatusOK)
		if len(got.Changes) != 4 {
			t.Fatalf("%s sees %d changes, want 4", role, len(got.Changes))
		}
		told := got.Changes[2].Told
		if len(told) != 2 || told[0].UserID != budi || told[1].UserID != budi {
			t.Errorf("%s sees %+v, want Budi's own two", role, told)
		}
	}
}

func TestHistoryIsTheTenantsAlone(t *testing.T) {
	t.Parallel()
	b, id := setupHistory(t)
	for path, want := range map[string]int{
		"/api/orders/" + id + "/history":                               http.StatusNotFound,
		"/api/orders/nonsense/history":                                 http.StatusNotFound,
		"/api/orders/" + uuid.Must(uuid.NewV7()).String() + "/history": http.StatusNotFound,
	} {
		res := b.do(t, call{"GET", path, "", b.as(t, ana, "other", user.Owner)})
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, res.StatusCode, want)
		}
	}
}

func TestHistoryOfBeforeChangesWereKeptIsEmpty(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.create(t).OrderID
	b.exec(t, "DELETE FROM order_changes")
	got := decode[orderapi.History](t, b.do(t, call{method: "GET", path: "/api/orders/" + id + "/history"}), http.StatusOK)
	if diff := cmp.Diff(orderapi.History{OrderID: id, Changes: []orderapi.Change{}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.create(t).OrderID
	b.exec(t, `INSERT INTO order_changes SELECT tenant_id, order_id, n, status, undone, gen_random_uuid(), actor_id, actor_name, total_amount, currency, changed_at
		FROM order_changes, generate_series(2, 150) n WHERE order_id = $1`, id)
	var many string
	for i := range 120 {
		many += fmt.Sprintf(`,{"user_id":"01a2b3c4-0000-7000-8000-%012d","channel":"in_app","outcome":"notified","reason":""}`, i)
	}
	b.decide(t, id, 150, "["+many[1:]+"]")
	got := decode[orderapi.History](t, b.do(t, call{"GET", "/api/orders/" + id + "/history", "", b.as(t, ana, "acme", user.Owner)}), http.StatusOK)
	if len(got.Changes) != order.MostChanges || !got.More || got.Changes[0].Version != 150 {
		t.Errorf("%d changes, more %t", len(got.Changes), got.More)
	}
	if first := got.Changes[0]; len(first.Told) != 100 || first.MoreTold != 20 {
		t.Errorf("%d told and %d more, want 100 and 20", len(first.Told), first.MoreTold)
	}
}
