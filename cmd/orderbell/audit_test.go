package main_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/internal/bus"
	"orderbell/internal/dev/waittest"
	"orderbell/internal/event/cloudevent"
)

// TestCommandsAreInTheAuditTrail runs commands that change something, on a running stack.
func TestCommandsAreInTheAuditTrail(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "dev")
	d := startDev(t, data)
	db := d.database(t)
	call(t, nil, "tenant", "create", "--name", "Corner Shop", "--owner-email", "ana@shop.example", "--data", data)
	const mail = "00000000-0000-8000-8000-000000000001"
	for _, sql := range []string{
		`INSERT INTO mail_suppressions (address, reason) VALUES ('ana@shop.example', '550 no such user')`,
		`INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, message_id, status)
			SELECT '` + mail + `', tenant_id, id, '/x', gen_random_uuid(), 'order_paid', gen_random_uuid(), '{}', 'x@x', 'failed' FROM users WHERE tenant_id = 'corner-shop'`,
	} {
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	call(t, nil, "mail", "suppressions", "remove", "ana@shop.example", "--data", data)
	call(t, nil, "mail", "retry", mail, "--data", data)
	// Dead letters of an order service that is not allowed yet.
	producer, err := bus.NewProducer(bus.Config{Brokers: strings.Split(d.state.Brokers, ",")})
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	good, bad := payment(t, newID(), newID(), time.Now().UTC(), 1), payment(t, newID(), newID(), time.Now().UTC(), 1)
	for _, err := range producer.Send(t.Context(), "orders.events", []cloudevent.Event{good, bad}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	waittest.Until(t, "the events are dead letters", func() bool { return len(letters(t, data)) == 2 })
	ids := map[string]string{}
	for _, l := range letters(t, data) {
		ids[l.EventID] = l.ID
	}
	call(t, nil, "deadletter", "close", ids[bad.ID()], "--because", "a test", "--data", data)
	if _, stderr, status := run(t, nil, "deadletter", "redrive", ids[good.ID()], "--data", data); status != 1 {
		t.Errorf("the source is not allowed: exit status %d, %q", status, stderr)
	}
	call(t, nil, "source", "allow", "/orderbell/test", "--tenant", "demo", "--data", data)
	call(t, nil, "deadletter", "redrive", ids[good.ID()], "--data", data)
	dropped := payment(t, newID(), newID(), time.Now().UTC(), 1)
	if _, err := db.Exec(t.Context(), `INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at, sent_at)
		VALUES (0, $1, '/orderbell/order-api', 'order_paid', 'demo', $2, $3, now(), now() - interval '10 minutes')`, dropped.ID(), dropped.Subject(), dropped.Data()); err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := run(t, nil, "deadletter", "redrive", "--all", "--groups", "order-paid", "--data", data); status != 2 || !strings.Contains(stderr, "--groups needs --auto") {
		t.Errorf("--groups without --auto: exit status %d, %q", status, stderr)
	}
	said := call(t, nil, "deadletter", "redrive", "--auto", "--groups", "order-created,order-paid,order-status-updated", "--data", data)
	repaired := strings.Contains(said, ", 1 repaired\n") // else the stack's own repair was first, which writes no audit trail
	if l := letters(t, data); !slices.ContainsFunc(l, func(l deadletter.Letter) bool {
		return l.EventID == dropped.ID() && strings.HasPrefix(l.Reason, "dropped by")
	}) {
		t.Errorf("no letter of the dropped event: %s%+v", said, l)
	}

	var got []string
	for _, r := range parse[[]auditRecord](t, call(t, nil, "audit", "--json", "--data", data)) {
		if !strings.HasPrefix(r.Actor, "operator:") {
			t.Errorf("the record is %+v", r)
		}
		got = append(got, strings.Join([]string{r.TenantID, r.Action, r.Target, r.Outcome}, " "))
	}
	slices.Sort(got)
	want := []string{
		"- suppression.removed address:ana@shop.example done", "corner-shop mail.retried mail:" + mail + " done",
		"corner-shop tenant.created tenant:corner-shop done", "demo deadletter.closed deadletter:" + ids[bad.ID()] + " done",
		"demo deadletter.redriven deadletter:" + ids[good.ID()] + " done", "demo deadletter.redriven deadletter:" + ids[good.ID()] + " refused",
		"demo source.allowed source:/orderbell/test done",
	}
	if repaired {
		want = append(want, "demo deadletter.repaired deadletter:"+dropped.ID()+" done")
	}
	slices.Sort(want)
	if said := call(t, nil, "audit", "--tenant", "-", "--data", data); !strings.Contains(said, "suppression.removed") {
		t.Errorf("what belongs to no tenant: %s", said)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// auditRecord is a record of orderbell audit --json.
type auditRecord struct {
	TenantID string    `json:"tenant_id"`
	At       time.Time `json:"at"`
	Actor    string    `json:"actor"`
	Action   string    `json:"action"`
	Target   string    `json:"target"`
	Address  string    `json:"address"`
	Outcome  string    `json:"outcome"`
	Detail   string    `json:"detail"`
	Times    int       `json:"times"`
}
