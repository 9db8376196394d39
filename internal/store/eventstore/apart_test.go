package eventstore_test

import (
	"testing"

	"orderbell/internal/mail"
)

// anotherTenant adds a tenant with a user and a due mail.
func anotherTenant(t *testing.T, exec func(sql string, args ...any)) {
	t.Helper()
	exec(`INSERT INTO tenants (id, name) VALUES ('aaa', 'A')`)
	exec(`INSERT INTO users (id, tenant_id, email, roles, email_confirmed_at) VALUES (gen_random_uuid(), 'aaa', 'a@b.example', '{owner}', now())`)
	exec(`INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, message_id)
		SELECT gen_random_uuid(), tenant_id, id, '/s', gen_random_uuid(), 'order_paid', gen_random_uuid(), '{}', id FROM users WHERE tenant_id = 'aaa'`)
}

func TestASourceSpeaksForItsTenantsAlone(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	exec(t, pool, `INSERT INTO tenants (id, name) VALUES ('aaa', 'A')`)
	exec(t, pool, `INSERT INTO event_sources (source, tenant_id, allowed_by) VALUES ('/tills', 'aaa', 'x'), ('/other', 'demo', 'x')`)
	for asked, want := range map[[2]string]bool{
		{"/tills", "aaa"}: true, {"/tills", "demo"}: false, {"/other", "aaa"}: false, {"/other", "demo"}: true, {"/unknown", "aaa"}: false,
	} {
		if got, err := s.SourceAllowed(t.Context(), asked[0], asked[1]); got != want || err != nil {
			t.Errorf("source %s about tenant %s: %t, %v, want %t", asked[0], asked[1], got, err, want)
		}
	}
}

func TestMailsOfOneTenantAreListed(t *testing.T) {
	t.Parallel()
	s, pool, _ := due(t)
	anotherTenant(t, func(sql string, args ...any) { exec(t, pool, sql, args...) })
	for tenant, want := range map[string][]string{"demo": {"demo"}, "aaa": {"aaa"}, "nobody": nil, "": {"demo", "aaa"}} {
		found, err := s.Mails(t.Context(), mail.Filter{TenantID: tenant}, 10)
		if err != nil || len(found) != len(want) {
			t.Fatalf("tenant %q: %d mails, %v, want %d", tenant, len(found), err, len(want))
		}
		for i, m := range found {
			if tenant != "" && m.TenantID != want[i] {
				t.Errorf("the mails of tenant %q have one of %s", tenant, m.TenantID)
			}
		}
	}
}

// TestAnHourBeginsWithoutMails has a tenant that used up its mails of an hour, and the next hour.
func TestAnHourBeginsWithoutMails(t *testing.T) {
	t.Parallel()
	s, pool, _ := due(t)
	exec(t, pool, `INSERT INTO mail_hours (tenant_id, hour, mails) VALUES ('demo', date_trunc('hour', now(), 'UTC'), 1000)`)
	assertNothingToClaim(t, s)
	exec(t, pool, `UPDATE mail_hours SET hour = hour - interval '1 hour'`)
	claim(t, s)
	if got := count(t, pool, `SELECT mails FROM mail_hours WHERE tenant_id = 'demo'`); got != 1 {
		t.Errorf("the first mail of the hour counts as the %dth", got)
	}
}

func TestInvitationsOfOthersDoNotCount(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	for _, address := range []string{"a@x.example", "b@x.example", "c@x.example"} {
		ask(t, pool, "other", address)
		claimOf(t, s, "other")
	}
	ask(t, pool, "demo", "d@x.example")
	if _, got := claimOf(t, s, "demo"); got != "granted" {
		t.Errorf("the tenant's first confirmation mail is %s, since another tenant has sent as many as it may", got)
	}
}
