package eventstore_test

import (
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/mail"
	"orderbell/internal/store/database"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/user"
)

// ask makes a confirmation mail to a new user of the tenant due.
func ask(t *testing.T, pool *database.Pool, tenant, email string) (userID string) {
	t.Helper()
	userID = uuid.NewString()
	exec(t, pool, `INSERT INTO tenants (id, name) VALUES ($1, $1) ON CONFLICT DO NOTHING`, tenant)
	exec(t, pool, `INSERT INTO users (id, tenant_id, email, roles, email_confirmed_at, invitation_expires_at, quiet_hours)
		VALUES ($1, $2, $3, '{owner}', NULL, now() + interval '1 day', '00:00-23:59')`, userID, tenant, email)
	askAgain(t, pool, tenant, userID)
	return userID
}

func askAgain(t *testing.T, pool *database.Pool, tenant, userID string) {
	t.Helper()
	id := uuid.Must(uuid.NewV7()).String()
	exec(t, pool, `INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, data, message_id)
		VALUES ($1::uuid, $2, $3, '/orderbell/user-api', $1::uuid, 'address_confirmation', '{}', $1::uuid || '@orders.example')`, id, tenant, userID)
}

// claimOf claims a mail of the tenant and returns the outcome.
func claimOf(t *testing.T, s *eventstore.Store, tenant string) (mail.Due, string) {
	t.Helper()
	d, ok, err := s.ClaimOfTenant(t.Context(), tenant, terms())
	switch {
	case err != nil:
		t.Error(err)
		return d, err.Error()
	case !ok:
		return d, "nothing"
	case d.OptedOut:
		return d, "suppressed"
	case d.Deferred:
		return d, "deferred"
	}
	return d, "granted"
}

func reasons(t *testing.T, pool *database.Pool) (r []string) {
	t.Helper()
	err := pool.QueryRow(t.Context(), `SELECT array_agg(status || ' ' || reason ORDER BY status, reason) FROM email_deliveries`).Scan(&r)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAnUnconfirmedUserGetsNoMail(t *testing.T) {
	t.Parallel()
	s, pool := setup(t, account{id: testUser(1), role: user.Owner}, account{id: testUser(2), role: user.Owner})
	exec(t, pool, `UPDATE users SET email_confirmed_at = NULL WHERE id = $1`, testUser(1))
	e := paid(t)
	if r := apply(t, s, e); r.DueMails != 1 || len(r.Recipients) != 2 {
		t.Errorf("%d mails and %d notifications, want 1 and 2", r.DueMails, len(r.Recipients))
	}
	var decision string
	if err := pool.QueryRow(t.Context(), `SELECT d ->> 'outcome' || ' ' || (d ->> 'reason') FROM event_records, jsonb_array_elements(decisions) AS d
		WHERE d ->> 'channel' = 'email' AND d ->> 'user_id' = $1`, testUser(1)).Scan(&decision); err != nil || decision != "suppressed "+user.ByUnconfirmed {
		t.Errorf("it was decided: %s, %v", decision, err)
	}
	exec(t, pool, `UPDATE users SET email = 'new@demo.example' WHERE id = $1`, testUser(2))
	if _, got := claimOf(t, s, "demo"); got != "suppressed" || !slices.Equal(reasons(t, pool), []string{"suppressed " + user.ByUnconfirmed}) {
		t.Errorf("a due mail to an address that has changed is %s: %v", got, reasons(t, pool))
	}
}

func TestConfirmationMails(t *testing.T) {
	t.Parallel()
	t.Run("a confirmation mail is claimed with the end of its link, in quiet hours too", func(t *testing.T) {
		t.Parallel()
		s, pool := setup(t)
		id := ask(t, pool, "demo", "ana@x.example")
		d, got := claimOf(t, s, "demo")
		if left := time.Until(d.LinkEnds); got != "granted" || d.Type != user.AddressConfirmation || d.UserID != id || d.Email != "ana@x.example" || left < 23*time.Hour {
			t.Errorf("%s: %+v", got, d)
		}
		endLease(t, pool)
		if again, got := claimOf(t, s, "demo"); got != "granted" || again.ID != d.ID {
			t.Errorf("its second attempt is %s", got)
		}
	})
	t.Run("no confirmation mail is sent after the link has expired", func(t *testing.T) {
		t.Parallel()
		s, pool := setup(t)
		confirmed, late, unknown := ask(t, pool, "demo", "a@x.example"), ask(t, pool, "demo", "b@x.example"), ask(t, pool, "demo", "c@x.example")
		exec(t, pool, `UPDATE users SET email_confirmed_at = now() WHERE id = $1`, confirmed)
		exec(t, pool, `UPDATE users SET invitation_expires_at = now() WHERE id = $1`, late)
		exec(t, pool, `INSERT INTO mail_suppressions (address, reason) SELECT email, '' FROM users WHERE id = $1`, unknown)
		for range 3 {
			if _, got := claimOf(t, s, "demo"); got != "suppressed" {
				t.Errorf("it is %s", got)
			}
		}
		want := []string{"suppressed " + user.ByAddress, "suppressed " + user.ByConfirmed, "suppressed " + user.ByExpiredInvitation}
		if got := reasons(t, pool); !slices.Equal(got, want) {
			t.Errorf("the reasons are %v, want %v", got, want)
		}
	})
	t.Run("an address gets one confirmation mail a day, from all tenants together", func(t *testing.T) {
		t.Parallel()
		s, pool := setup(t)
		const tenants = 6
		for i := range tenants {
			ask(t, pool, "t"+strconv.Itoa(i), "Victim@x.example")
		}
		outcomes := make(chan string, tenants)
		var all sync.WaitGroup
		for i := range tenants {
			all.Go(func() {
				_, got := claimOf(t, s, "t"+strconv.Itoa(i))
				outcomes <- got
			})
		}
		all.Wait()
		close(outcomes)
		counts := map[string]int{}
		for got := range outcomes {
			counts[got]++
		}
		if counts["granted"] != 1 || counts["deferred"] != tenants-1 {
			t.Errorf("of %d claims at once the outcomes are %v, want 1 granted", tenants, counts)
		}
		exec(t, pool, `UPDATE email_deliveries SET next_attempt_at = now() WHERE attempt = 0`)
		exec(t, pool, `UPDATE confirmation_mails SET at = now() - interval '25 hours'`)
		granted := 0
		for i := range tenants {
			if _, got := claimOf(t, s, "t"+strconv.Itoa(i)); got == "granted" {
				granted++
			}
		}
		if granted != 1 {
			t.Errorf("%d mails a day later, want 1", granted)
		}
	})
	t.Run("a tenant that cancels and invites again sends no more a day than it may", func(t *testing.T) {
		t.Parallel()
		s, pool := setup(t)
		counts := map[string]int{}
		for i := range 5 {
			id := ask(t, pool, "demo", strconv.Itoa(i)+"@x.example")
			_, got := claimOf(t, s, "demo")
			counts[got]++
			exec(t, pool, `DELETE FROM users WHERE id = $1`, id)
		}
		if counts["granted"] != 2 || counts["deferred"] != 3 {
			t.Errorf("the outcomes are %v, want max_invitations of 2 granted", counts)
		}
	})
}
