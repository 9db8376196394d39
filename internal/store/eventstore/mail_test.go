package eventstore_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/event"
	"orderbell/internal/mail"
	"orderbell/internal/store/database"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/tracing"
	"orderbell/internal/user"
)

// terms are a claim's, with more mails than any test sends.
func terms() mail.Terms { return mail.Terms{Lease: time.Minute, MailsPerHour: 1000, MaxInvitations: 2} }

// due returns a store with one due e-mail, of e.
func due(t *testing.T) (s *eventstore.Store, pool *database.Pool, e event.Event) {
	t.Helper()
	s, pool = setup(t, account{id: testUser(1), role: user.Owner})
	e = paid(t)
	apply(t, s, e)
	return s, pool, e
}

func claim(t *testing.T, s *eventstore.Store) mail.Due {
	t.Helper()
	d, ok, err := s.ClaimOfTenant(t.Context(), "demo", terms())
	if err != nil || !ok {
		t.Fatalf("nothing claimed: %v", err)
	}
	return d
}

func assertNothingToClaim(t *testing.T, s *eventstore.Store) {
	t.Helper()
	if d, ok, err := s.ClaimOfTenant(t.Context(), "demo", terms()); ok || err != nil {
		t.Errorf("claimed %+v, %v", d, err)
	}
}

func mark(t *testing.T, s *eventstore.Store, d mail.Due, m mail.Mark, want bool) {
	t.Helper()
	held, err := s.Mark(t.Context(), d, m)
	if err != nil {
		t.Fatal(err)
	}
	if held != want {
		t.Errorf("marking attempt %d %s: held is %v, want %v", d.Attempt, m.Status, held, want)
	}
}

// row is a mail in the database.
type row struct {
	Status, Reason     string
	Attempt, Ambiguous int
	Leased, Sent       bool
}

func onlyRow(t *testing.T, pool *database.Pool) (r row) {
	t.Helper()
	err := pool.QueryRow(t.Context(), `SELECT status, reason, attempt, ambiguous, lease_until IS NOT NULL, sent_at IS NOT NULL
		FROM email_deliveries`).Scan(&r.Status, &r.Reason, &r.Attempt, &r.Ambiguous, &r.Leased, &r.Sent)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func assertRow(t *testing.T, pool *database.Pool, want row) {
	t.Helper()
	if diff := cmp.Diff(want, onlyRow(t, pool)); diff != "" {
		t.Error(diff)
	}
}

// endLease makes a claim expire.
func endLease(t *testing.T, pool *database.Pool) {
	t.Helper()
	exec(t, pool, `UPDATE email_deliveries SET lease_until = now() - interval '1 s', next_attempt_at = now() - interval '1 s'`)
}

func TestClaim(t *testing.T) {
	t.Parallel()
	t.Run("a claim has everything that a mail needs", func(t *testing.T) {
		t.Parallel()
		s, _, e := due(t)
		got := claim(t, s)
		want := mail.Due{
			ID: got.ID, Attempt: 1, MessageID: got.ID + "@mail.example", Source: e.Source, EventID: e.ID, Type: e.Type,
			Data: e.Data, TenantName: "Kopi & Co", Locale: "en", UserID: testUser(1), Email: testUser(1) + "@demo.example", Name: "Ayu", TimeZone: "UTC",
			TenantID: "demo", Trace: tracing.Parent{TraceParent: e.TraceParent, TraceState: e.TraceState},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a claimed mail is not claimed again", func(t *testing.T) {
		t.Parallel()
		s, pool, e := due(t)
		claim(t, s)
		assertNothingToClaim(t, s)
		if _, ok, err := s.ClaimOfEvent(t.Context(), e.Source, e.ID, terms()); ok || err != nil {
			t.Errorf("claimed it as the event's: %v", err)
		}
		assertRow(t, pool, row{Status: "due", Attempt: 1, Leased: true})
	})
	t.Run("a mail that another claims is skipped without waiting", func(t *testing.T) {
		t.Parallel()
		s, pool, _ := due(t)
		apply(t, s, paid(t))
		tx, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
		var held string
		if err := tx.QueryRow(t.Context(), `SELECT id::text FROM email_deliveries ORDER BY next_attempt_at LIMIT 1 FOR UPDATE`).Scan(&held); err != nil {
			t.Fatal(err)
		}
		if d := claim(t, s); d.ID == held {
			t.Errorf("claimed %s", d.ID)
		}
		assertNothingToClaim(t, s)
	})
	t.Run("concurrent claims get different mails", func(t *testing.T) {
		t.Parallel()
		s, _ := setup(t, account{id: testUser(1), role: user.Owner})
		const mails = 20
		for range mails {
			apply(t, s, paid(t))
		}
		var mu sync.Mutex
		seen := map[string]bool{}
		var wg sync.WaitGroup
		for range mails {
			wg.Go(func() {
				d, ok, err := s.ClaimOfTenant(context.Background(), "demo", terms())
				mu.Lock()
				defer mu.Unlock()
				if !ok || err != nil || seen[d.ID] {
					t.Errorf("claimed %v %s, %v", ok, d.ID, err)
				}
				seen[d.ID] = true
			})
		}
		wg.Wait()
		assertNothingToClaim(t, s)
	})
	t.Run("a claim of an event takes no mail of another", func(t *testing.T) {
		t.Parallel()
		s, _, _ := due(t)
		later := paid(t)
		apply(t, s, later)
		got, ok, err := s.ClaimOfEvent(t.Context(), later.Source, later.ID, terms())
		if err != nil || !ok || got.EventID != later.ID {
			t.Errorf("got %+v, %v", got, err)
		}
		if _, ok, err = s.ClaimOfEvent(t.Context(), later.Source, later.ID, terms()); ok || err != nil {
			t.Errorf("claimed another: %v", err)
		}
	})
	t.Run("a user who has opted out since gets no mail", func(t *testing.T) {
		t.Parallel()
		s, pool, _ := due(t)
		exec(t, pool, "UPDATE users SET notification_email_enabled = false")
		if d := claim(t, s); !d.OptedOut {
			t.Errorf("got %+v", d)
		}
		assertNothingToClaim(t, s)
		assertRow(t, pool, row{Status: "suppressed", Reason: "preference"})
	})
	t.Run("a user who has switched off such mails since gets none", func(t *testing.T) {
		t.Parallel()
		s, pool, _ := due(t)
		exec(t, pool, "UPDATE users SET notification_email_events = '{order_created}'")
		if d := claim(t, s); !d.OptedOut {
			t.Errorf("got %+v", d)
		}
		assertRow(t, pool, row{Status: "suppressed", Reason: "event preference"})
	})
	t.Run("a user who has lost the role since gets no mail", func(t *testing.T) {
		t.Parallel()
		s, pool, _ := due(t)
		exec(t, pool, "UPDATE users SET roles = '{viewer}'")
		if d := claim(t, s); !d.OptedOut {
			t.Errorf("got %+v", d)
		}
		assertNothingToClaim(t, s)
		assertRow(t, pool, row{Status: "suppressed", Reason: "role"})
	})
	t.Run("a mail that is older than the record of its audience is sent", func(t *testing.T) {
		t.Parallel()
		s, pool, _ := due(t)
		exec(t, pool, "UPDATE users SET roles = '{viewer}'")
		exec(t, pool, "UPDATE email_deliveries SET audience = NULL")
		if d := claim(t, s); d.OptedOut {
			t.Errorf("got %+v", d)
		}
	})
	t.Run("an address that does not exist is not mailed", func(t *testing.T) {
		t.Parallel()
		s, pool, _ := due(t)
		exec(t, pool, "INSERT INTO mail_suppressions (address, reason) SELECT lower(email), '550 5.1.1' FROM users")
		if d := claim(t, s); !d.OptedOut {
			t.Errorf("got %+v", d)
		}
		assertNothingToClaim(t, s)
		assertRow(t, pool, row{Status: "suppressed", Reason: "address"})
	})
	t.Run("a tenant's mails of an hour are limited, by its own limit or the default", func(t *testing.T) {
		t.Parallel()
		s, pool, e := due(t)
		for range 4 {
			apply(t, s, paid(t))
		}
		two := mail.Terms{Lease: time.Minute, MailsPerHour: 2}
		claims := func(want bool) {
			t.Helper()
			if _, ok, err := s.ClaimOfTenant(t.Context(), "demo", two); ok != want || err != nil {
				t.Errorf("claimed: %t, %v", ok, err)
			}
			tenants, err := s.DueTenants(t.Context(), two)
			if _, ok, err2 := s.ClaimOfEvent(t.Context(), e.Source, testUser(9), two); ok || err != nil || err2 != nil {
				t.Errorf("%v, %v, %v", tenants, err, err2)
			}
		}
		claims(true)
		claims(true)
		claims(false)
		if tenants, err := s.DueTenants(t.Context(), two); err != nil || len(tenants) != 0 {
			t.Errorf("the next tenants are %v, %v", tenants, err)
		}
		exec(t, pool, "INSERT INTO tenant_limits (tenant_id, mails_per_hour) VALUES ($1, 3)", "demo")
		claims(true)
		claims(false)
		exec(t, pool, "UPDATE mail_hours SET hour = hour - interval '1 h'")
		claims(true) // the next hour
		exec(t, pool, "UPDATE tenant_limits SET mails_per_hour = 0")
		claims(false)
	})
	t.Run("a mail waits for the end of quiet hours that were set since", func(t *testing.T) {
		t.Parallel()
		s, pool, _ := due(t)
		exec(t, pool, "UPDATE users SET quiet_hours = $1", around(time.Now()))
		if d := claim(t, s); !d.Deferred || d.OptedOut {
			t.Errorf("got %+v", d)
		}
		assertNothingToClaim(t, s)
		assertRow(t, pool, row{Status: "due", Reason: "quiet hours"})
		exec(t, pool, "UPDATE users SET quiet_hours = ''")
		exec(t, pool, "UPDATE email_deliveries SET next_attempt_at = now()")
		mark(t, s, claim(t, s), mail.Mark{Status: mail.StatusSent}, true)
		assertRow(t, pool, row{Status: "sent", Attempt: 1, Sent: true})
	})
	t.Run("an expired lease is taken over and counted", func(t *testing.T) {
		t.Parallel()
		s, pool, _ := due(t)
		first := claim(t, s)
		endLease(t, pool)
		second := claim(t, s)
		if !second.Abandoned || second.Attempt != 2 || first.Abandoned {
			t.Errorf("got %+v after %+v", second, first)
		}
		if first.MessageID != second.MessageID {
			t.Errorf("another Message-ID: %s, %s", first.MessageID, second.MessageID)
		}
		assertRow(t, pool, row{Status: "due", Attempt: 2, Ambiguous: 1, Leased: true})
	})
}

func TestMark(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		mark mail.Mark
		want row
	}{
		"sent":                 {mail.Mark{Status: mail.StatusSent}, row{Status: "sent", Attempt: 1, Sent: true}},
		"failed":               {mail.Mark{Status: mail.StatusFailed, Reason: "550 no"}, row{Status: "failed", Reason: "550 no", Attempt: 1}},
		"due again":            {mail.Mark{Status: mail.StatusDue, Reason: "451 later", RetryAfter: time.Hour}, row{Status: "due", Reason: "451 later", Attempt: 1}},
		"due again, ambiguous": {mail.Mark{Status: mail.StatusDue, Reason: "EOF", RetryAfter: time.Hour, Ambiguous: true}, row{Status: "due", Reason: "EOF", Attempt: 1, Ambiguous: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, pool, _ := due(t)
			d := claim(t, s)
			mark(t, s, d, tt.mark, true)
			assertRow(t, pool, tt.want)
			assertNothingToClaim(t, s)
			mark(t, s, d, mail.Mark{Status: mail.StatusFailed}, false) // an attempt ends once
			assertRow(t, pool, tt.want)
		})
	}
	t.Run("a mail that is due again is claimed at its time, and does not count as abandoned", func(t *testing.T) {
		t.Parallel()
		s, _, _ := due(t)
		mark(t, s, claim(t, s), mail.Mark{Status: mail.StatusDue, Reason: "451 later"}, true)
		if d := claim(t, s); d.Attempt != 2 || d.Abandoned {
			t.Errorf("got %+v", d)
		}
	})
	t.Run("a claimant whose lease has expired marks nothing", func(t *testing.T) {
		t.Parallel()
		s, pool, _ := due(t)
		first := claim(t, s)
		endLease(t, pool)
		second := claim(t, s)
		mark(t, s, first, mail.Mark{Status: mail.StatusSent}, false)
		assertRow(t, pool, row{Status: "due", Attempt: 2, Ambiguous: 1, Leased: true})
		mark(t, s, second, mail.Mark{Status: mail.StatusSent}, true)
		assertRow(t, pool, row{Status: "sent", Attempt: 2, Ambiguous: 1, Sent: true})
	})
}

func TestWaiting(t *testing.T) {
	t.Parallel()
	s, _, _ := due(t)
	apply(t, s, paid(t))
	n, since, err := s.Waiting(t.Context())
	if err != nil || n != 2 || since.IsZero() || since.After(time.Now().Add(time.Minute)) {
		t.Errorf("got %d since %s, %v", n, since, err)
	}
	claim(t, s)
	claim(t, s)
	if n, since, err = s.Waiting(t.Context()); err != nil || n != 0 || !since.IsZero() {
		t.Errorf("got %d since %s, %v", n, since, err)
	}
}
