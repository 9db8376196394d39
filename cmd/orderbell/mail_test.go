package main_test

import (
	"encoding/json"
	"strings"
	"testing"

	"orderbell/internal/mail"
	"orderbell/internal/store/database/databasetest"
)

// TestMail retries mails in every way that an operator has.
func TestMail(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	pool := databasetest.Open(t, address)
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	const (
		failed, gone, sent, due, unwanted = "00000000-0000-8000-8000-000000000001", "00000000-0000-8000-8000-000000000002",
			"00000000-0000-8000-8000-000000000003", "00000000-0000-8000-8000-000000000004", "00000000-0000-8000-8000-000000000005"
	)
	exec(`INSERT INTO tenants (id, name) VALUES ('demo', 'Demo'), ('kopi', 'Kopi')`)
	add := func(id, tenant, user, status, reason string, attempt int) {
		exec(`WITH u AS (INSERT INTO users (id, tenant_id, email, roles) VALUES (gen_random_uuid(), $2, $3, '{owner}') RETURNING id)
			INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, message_id, status, reason, attempt, sent_at)
			SELECT $1::uuid, $2, u.id, '/x', gen_random_uuid(), 'order_paid', gen_random_uuid(), '{}', $1 || '@x', $4, $5, $6, CASE $4 WHEN 'sent' THEN now() END FROM u`,
			id, tenant, user, status, reason, attempt)
	}
	add(failed, "demo", "Ana@demo.example", "failed", "550 no\u202e such box", 12)
	add(gone, "demo", "gone@demo.example", "suppressed", "address", 0)
	add(sent, "demo", "sent@demo.example", "sent", "", 1)
	add(due, "kopi", "due@kopi.example", "due", "451 busy", 2)
	add(unwanted, "kopi", "off@kopi.example", "suppressed", "preference", 0)
	exec(`INSERT INTO mail_suppressions (address, reason) VALUES ('gone@demo.example', '550 5.1.1 user unknown')`)
	env := []string{"DATABASE_URL=" + address}
	orderbell := func(wantStatus int, args ...string) string {
		t.Helper()
		stdout, stderr, status := run(t, env, append([]string{"mail"}, args...)...)
		if status != wantStatus {
			t.Errorf("mail %v: exit status %d, want %d: %s%s", args, status, wantStatus, stdout, stderr)
		}
		return stdout + stderr
	}
	listed := func(args ...string) string {
		t.Helper()
		var found []mail.Entry
		if err := json.Unmarshal([]byte(orderbell(0, append([]string{"list", "--json"}, args...)...)), &found); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, e := range found {
			ids = append(ids, e.ID[35:])
		}
		return strings.Join(ids, " ")
	}
	for args, want := range map[string]string{
		"": "1 2 4 5", "--status failed": "1", "--status sent,due": "3 4", "--tenant kopi": "4 5", "--user ana@DEMO.example": "1", "--reason BUSY": "4",
		"--since 1h": "1 2 4 5", "--limit 2": "1 2",
	} {
		if got := listed(strings.Fields(args)...); got != want {
			t.Errorf("mail list %s: %s, want %s", args, got, want)
		}
	}
	says := func(said string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(said, w) {
				t.Errorf("%q is not in %q", w, said)
			}
		}
	}
	says(orderbell(0, "list"), "550 no<U+202E> such box", "address is suppressed: 550 5.1.1 user unknown")
	says(orderbell(1, "list", "--tenant", "nobody"), "no mail matches")
	orderbell(2, "list", "--status", "lost")
	orderbell(2, "list", "--limit", "0")
	says(orderbell(0, "show", failed), "550 no<U+202E> such box", failed+"@x", "12")
	says(orderbell(1, "show", "00000000-0000-8000-8000-000000000009"), "no mail or event")

	state := func(id string) (s string) {
		t.Helper()
		if err := pool.QueryRow(t.Context(), `SELECT concat_ws(' ', status, attempt, held, next_attempt_at <= now()) FROM email_deliveries WHERE id = $1`, id).Scan(&s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	says(orderbell(1, "retry", "--all", "--dry-run", "--tenant", "demo"), "to be tried again", failed, "mail suppressions remove gone@demo.example", "1 of 2 mails were refused")
	if s := state(failed); s != "failed 12 0 t" {
		t.Errorf("after a dry run the mail is %s", s)
	}
	says(orderbell(1, "retry", sent), "it was sent")
	says(orderbell(1, "retry", unwanted), "the user does not get such mails (preference)")
	says(orderbell(1, "retry", failed, "x"), "nothing was changed: no mail or event with mails has the id x")
	says(orderbell(1, "retry", "--all", "--tenant", "kopi"), "nothing was changed: no mail matches")
	orderbell(2, "retry")
	orderbell(2, "retry", failed, "--tenant", "demo")
	if s := state(failed); s != "failed 12 0 t" {
		t.Errorf("after refusals the mail is %s", s)
	}
	says(orderbell(0, "retry", failed), "due again", "1 due again, 0 refused")
	if s := state(failed); s != "due 12 12 t" {
		t.Errorf("after a retry the mail is %s, want due with 12 attempts that do not count", s)
	}

	exec(`UPDATE email_deliveries SET status = 'due', lease_until = now() - interval '1 minute' WHERE id = $1`, failed)
	says(orderbell(0, "retry", failed), "1 due again")
	says(orderbell(0, "show", failed), "of unknown outcome", "may have a copy")

	says(orderbell(0, "suppressions", "list"), "gone@demo.example", "550 5.1.1 user unknown")
	says(orderbell(1, "suppressions", "list", "--reason", "quota"), "no suppressed address matches")
	says(orderbell(1, "suppressions", "remove", "gone@demo.example", "ana@demo.example"), "nothing was changed: these addresses are not suppressed: ana@demo.example")
	says(orderbell(0, "suppressions", "remove", "--dry-run", "gone@demo.example"), "to be removed gone@demo.example")
	says(orderbell(0, "suppressions", "remove", "Gone@demo.example"), "removed gone@demo.example")
	says(orderbell(1, "suppressions", "list"), "no suppressed address matches")
	says(orderbell(0, "retry", "--all"), "1 due again, 0 refused", gone)
	if s := state(gone); s != "due 0 0 t" {
		t.Errorf("after its address was removed from the list, the mail is %s", s)
	}
}
