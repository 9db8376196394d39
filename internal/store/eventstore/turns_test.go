package eventstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/event"
	"orderbell/internal/mail"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/user"
)

func TestRenew(t *testing.T) {
	t.Parallel()
	s, pool, _ := due(t)
	first := claim(t, s)
	exec(t, pool, "UPDATE email_deliveries SET lease_until = now() + interval '1 s', next_attempt_at = now() + interval '1 s'")
	if held, err := s.Renew(t.Context(), first, time.Hour); !held || err != nil {
		t.Errorf("not renewed: %v", err)
	}
	var far bool
	if err := pool.QueryRow(t.Context(), `SELECT lease_until > now() + interval '59 min' AND next_attempt_at = lease_until FROM email_deliveries`).Scan(&far); err != nil || !far {
		t.Errorf("the lease is not longer, %v", err)
	}
	endLease(t, pool)
	claim(t, s)
	if held, err := s.Renew(t.Context(), first, time.Hour); held || err != nil {
		t.Errorf("a claim that was lost is renewed, %v", err)
	}
}

func TestSuppression(t *testing.T) {
	t.Parallel()
	s, pool, _ := due(t)
	d := claim(t, s)
	d.Email = "Gone@Demo.example"
	exec(t, pool, "UPDATE users SET email = $1", d.Email)
	exec(t, pool, "UPDATE users SET email_confirmed_at = now()")
	mark(t, s, d, mail.Mark{Status: mail.StatusFailed, Reason: "550 5.1.1 no", NoMailbox: true}, true)
	var address, reason string
	if err := pool.QueryRow(t.Context(), `SELECT address, reason FROM mail_suppressions WHERE delivery_id = $1`, d.ID).Scan(&address, &reason); err != nil {
		t.Fatal(err)
	}
	if address != "gone@demo.example" || reason != "550 5.1.1 no" {
		t.Errorf("got %s, %s", address, reason)
	}
	e := paid(t)
	if r := apply(t, s, e); r.DueMails != 0 || len(r.Recipients) != 1 {
		t.Errorf("the next event: %+v", r)
	}
	var decision string
	if err := pool.QueryRow(t.Context(), `SELECT d ->> 'outcome' || ' ' || (d ->> 'reason') FROM event_records, jsonb_array_elements(decisions) AS d
		WHERE event_id = $1 AND d ->> 'channel' = 'email'`, e.ID).Scan(&decision); err != nil || decision != "suppressed address" {
		t.Errorf("it was decided: %s, %v", decision, err)
	}
	mark(t, s, d, mail.Mark{Status: mail.StatusFailed, NoMailbox: true}, false)
}

// TestTurns has a tenant with very many due mails, and two with one.
func TestTurns(t *testing.T) {
	t.Parallel()
	s, pool, _ := due(t)
	const many = 50000
	exec(t, pool, `INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, message_id, next_attempt_at)
		SELECT gen_random_uuid(), tenant_id, user_id, '/s', gen_random_uuid(), 'order_paid', order_id, data, 'm' || n, now() - interval '1 h'
		FROM email_deliveries, generate_series(1, $1::integer) AS n`, many)
	for _, tenant := range []string{"aaa", "zzz"} {
		exec(t, pool, "INSERT INTO tenants (id, name) VALUES ($1, $1)", tenant)
		exec(t, pool, "INSERT INTO users (id, tenant_id, email, roles) VALUES (gen_random_uuid(), $1, 'a@b.example', '{owner}')", tenant)
		exec(t, pool, `INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, message_id)
			SELECT gen_random_uuid(), tenant_id, id, '/s', gen_random_uuid(), 'order_paid', gen_random_uuid(), '{}', id FROM users WHERE tenant_id = $1`, tenant)
	}
	exec(t, pool, "ANALYZE email_deliveries")
	got, err := s.DueTenants(t.Context(), terms())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"demo", "aaa", "zzz"}, got); diff != "" {
		t.Error(diff)
	}
	var plan string
	for _, sql := range []string{eventstore.TenantsSQL(), eventstore.ClaimOfTenantSQL()} {
		rows, err := pool.Query(t.Context(), "EXPLAIN "+sql, pgx.NamedArgs{
			"lease": time.Minute, "mails_per_hour": 1000, "tenant_id": "demo",
		})
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if plan = strings.Join(lines, "\n"); strings.Contains(plan, "Seq Scan on email_deliveries") || strings.Contains(plan, "Sort Key: d.next_attempt_at") {
			t.Errorf("it reads all mails:\n%s", plan)
		}
	}
}

// TestReceiptIsOfItsSource has two publishers use the same event id.
func TestReceiptIsOfItsSource(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, account{id: testUser(1), role: user.Owner})
	ours := paid(t)
	theirs := ours
	theirs.Source = "/another/shop"
	first, second := apply(t, s, ours), apply(t, s, theirs)
	if first.Recipients[0].NotificationID == second.Recipients[0].NotificationID {
		t.Fatal("two events have one notification")
	}
	for _, tt := range []struct {
		e    event.Event
		want event.Receipt
	}{{ours, first}, {theirs, second}} {
		got := apply(t, s, tt.e)
		tt.want.Outcome = event.Duplicate
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s again: %s", tt.e.Source, diff)
		}
	}
	// The mail of one is sent: the receipt of the other still counts its own.
	d, ok, err := s.ClaimOfEvent(t.Context(), theirs.Source, theirs.ID, terms())
	if err != nil || !ok {
		t.Fatalf("nothing claimed: %v", err)
	}
	mark(t, s, d, mail.Mark{Status: mail.StatusSent}, true)
	if a, b := apply(t, s, ours), apply(t, s, theirs); a.DueMails != 1 || b.DueMails != 0 {
		t.Errorf("%d and %d due mails", a.DueMails, b.DueMails)
	}
}
