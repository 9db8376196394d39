package userstore_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

func terms() user.InvitationTerms {
	return user.InvitationTerms{Limits: user.DefaultLimits{MaxUsers: 8, MaxInvitations: 3}, Life: time.Hour, MailDomain: "orders.example"}
}

// invitations is a store with the demo tenant, and its database.
type invitations struct {
	*userstore.Store

	pool *database.Pool
}

func newInvitations(t *testing.T) invitations {
	t.Helper()
	pool := databasetest.New(t)
	s := userstore.New(pool)
	if err := s.EnsureTenant(t.Context(), user.Tenant{ID: "demo", Name: "Demo", Locale: "id"}); err != nil {
		t.Fatal(err)
	}
	return invitations{s, pool}
}

func (s invitations) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := s.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// mails returns how many confirmation mails are due to the user.
func (s invitations) mails(t *testing.T, userID string) (n int) {
	t.Helper()
	err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM email_deliveries WHERE user_id = $1 AND event_type = 'address_confirmation'
		AND status = 'due' AND order_id IS NULL AND message_id = id || '@orders.example'`, userID).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (s invitations) invite(t *testing.T, email string) (user.User, error) {
	t.Helper()
	return s.Invite(t.Context(), user.User{TenantID: "demo", Email: email, Roles: []user.Role{user.Cashier}, EmailEnabled: true}, terms(), user.Act{Actor: "user:boss"})
}

func link(p user.User) user.Confirmation {
	return user.Confirmation{TenantID: p.TenantID, UserID: p.ID, IsAddress: func(email string) bool { return strings.EqualFold(email, p.Email) }}
}

func state(p user.User) user.EmailState { return p.EmailState(time.Now()) }

func TestAnInvitation(t *testing.T) {
	t.Parallel()
	s := newInvitations(t)
	p, err := s.invite(t, "ana@demo.example")
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(p.InvitationExpires); state(p) != user.EmailInvited || left < 50*time.Minute || left > time.Hour || s.mails(t, p.ID) != 1 {
		t.Errorf("invited for %s with %d mails: %+v", left, s.mails(t, p.ID), p)
	}
	soon := new(user.TooSoonError)
	if _, err := s.InviteAgain(t.Context(), "demo", p.ID, user.Change{}, terms()); !errors.As(err, &soon) || soon.After < 23*time.Hour || soon.After > 24*time.Hour {
		t.Errorf("a second mail on one day: %v", err)
	}
	s.exec(t, `UPDATE users SET confirmation_asked_at = now() - interval '25 hours', invitation_expires_at = now() - interval '1 second'`)
	if p, err = s.Find(t.Context(), "demo", p.ID); err != nil || state(p) != user.EmailExpired {
		t.Errorf("after its end the invitation is %s, %v", state(p), err)
	}
	if p, err = s.InviteAgain(t.Context(), "demo", p.ID, user.Change{}, terms()); err != nil || state(p) != user.EmailInvited || s.mails(t, p.ID) != 2 {
		t.Errorf("invited again it is %s with %d mails, %v", state(p), s.mails(t, p.ID), err)
	}
	if _, err := s.InviteAgain(t.Context(), "other", p.ID, user.Change{}, terms()); !errors.Is(err, user.ErrNotFound) {
		t.Errorf("another tenant's user is invited again: %v", err)
	}
	if about, err := s.Invitation(t.Context(), link(p)); err != nil || about != (user.Invitation{Email: p.Email, TenantName: "Demo", Locale: "id"}) {
		t.Errorf("the link is about %+v, %v", about, err)
	}
	for range 2 {
		if about, err := s.Confirm(t.Context(), link(p), user.Act{Actor: "user:" + p.ID}); err != nil || !about.Confirmed {
			t.Errorf("confirmed: %+v, %v", about, err)
		}
	}
	confirmed, err := s.Find(t.Context(), "demo", p.ID)
	if err != nil || state(confirmed) != user.EmailConfirmed || confirmed.Version != p.Version+1 {
		t.Errorf("confirmed it is %+v, %v, want one version more", confirmed, err)
	}
	if _, err := s.InviteAgain(t.Context(), "demo", p.ID, user.Change{}, terms()); !errors.Is(err, user.ErrConfirmed) {
		t.Errorf("a confirmed user is invited again: %v", err)
	}
	records, err := s.Records(t.Context(), "demo", time.Time{}, 10)
	if err != nil || len(records) != 3 || records[0].Action != "user.confirmed" || records[1].Detail != "again, address ana@demo.example" {
		t.Errorf("the audit trail has %+v, %v", records, err)
	}
}

func TestANewAddressIsNotConfirmed(t *testing.T) {
	t.Parallel()
	s := newInvitations(t)
	p, err := s.Add(t.Context(), user.User{TenantID: "demo", Email: "bo@demo.example", Roles: []user.Role{user.Cashier}})
	if err != nil || state(p) != user.EmailConfirmed {
		t.Fatalf("a user whom the operator adds is %s, %v", state(p), err)
	}
	old := link(p)
	if p, err = s.Update(t.Context(), "demo", p.ID, user.Change{Email: ptr("BO@demo.example")}, terms()); err != nil || state(p) != user.EmailConfirmed {
		t.Errorf("the same address, typed in another way, is %s, %v", state(p), err)
	}
	if p, err = s.Update(t.Context(), "demo", p.ID, user.Change{Email: ptr("bo@other.example")}, terms()); err != nil || state(p) != user.EmailInvited || s.mails(t, p.ID) != 1 {
		t.Errorf("a new address is %s with %d mails, %v", state(p), s.mails(t, p.ID), err)
	}
	for range 2 {
		if _, err := s.Confirm(t.Context(), old, user.Act{}); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("a link to the old address confirms the new one: %v", err)
		}
	}
	for verified, want := range map[string]bool{"bo@demo.example": false, "BO@other.example": true} {
		if done, err := s.ConfirmVerified(t.Context(), "demo", p.ID, verified, user.Act{}); err != nil || done != want {
			t.Errorf("the provider has verified %s: %t, %v", verified, done, err)
		}
	}
	if p, err = s.Find(t.Context(), "demo", p.ID); err != nil || state(p) != user.EmailConfirmed {
		t.Errorf("an address that the provider has verified is %s, %v", state(p), err)
	}
	s.exec(t, `UPDATE users SET email = 'bo@third.example'`)
	if p, err = s.Find(t.Context(), "demo", p.ID); err != nil || state(p) != user.EmailExpired {
		t.Errorf("an address that was changed past the API is %s, %v", state(p), err)
	}
}

func TestInvitationsAreBounded(t *testing.T) {
	t.Parallel()
	s := newInvitations(t)
	var first user.User
	var mu sync.Mutex
	refused := 0
	var all sync.WaitGroup
	for _, name := range strings.Fields("a b c d e f") {
		all.Go(func() {
			p, err := s.invite(t, name+"@demo.example")
			limit := new(user.LimitError)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.As(err, &limit) && limit.Limit == user.MaxInvitations && limit.Max == 3:
				refused++
			case err != nil:
				t.Error(err)
			default:
				first = p
			}
		})
	}
	all.Wait()
	if refused != 3 {
		t.Fatalf("%d of 6 invitations are refused, want 3", refused)
	}
	owner, err := s.Add(t.Context(), user.User{TenantID: "demo", Email: "owner@demo.example", Roles: []user.Role{user.Owner}})
	if err != nil {
		t.Fatal(err)
	}
	limit := new(user.LimitError)
	if _, err := s.Update(t.Context(), "demo", owner.ID, user.Change{Email: ptr("x@demo.example")}, terms()); !errors.As(err, &limit) || limit.Limit != user.MaxInvitations {
		t.Errorf("a fourth address that is not confirmed: %v", err)
	}
	if _, err := s.Confirm(t.Context(), link(first), user.Act{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.invite(t, "y@demo.example"); err != nil {
		t.Errorf("after a confirmation there is room for another invitation: %v", err)
	}
	none := int64(0)
	if _, err := s.SetLimits(t.Context(), "demo", "operator:ana", map[user.Limit]*int64{user.MaxInvitations: &none}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.invite(t, "z@demo.example"); !errors.As(err, &limit) || limit.Max != 0 {
		t.Errorf("the tenant's own limit of no invitation: %v", err)
	}
}

// TestTheAPIsCannotVouch tries, as the APIs' role, what only the tables' owner may do.
func TestTheAPIsCannotVouch(t *testing.T) {
	t.Parallel()
	s := newInvitations(t)
	for what, sql := range map[string]string{
		"a user whose address is confirmed": `INSERT INTO users (id, tenant_id, email, roles) VALUES (gen_random_uuid(), 'demo', 'x@demo.example', '{owner}')`,
		"a mail of an order": `INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, data, message_id)
			SELECT gen_random_uuid(), 'demo', id, 's', gen_random_uuid(), 'order_paid', '{}', 'm' FROM users`,
		"the notes of confirmation mails": `DELETE FROM confirmation_mails`,
	} {
		if _, err := s.invite(t, "ana@demo.example"); err != nil && !errors.Is(err, user.ErrEmailTaken) {
			t.Fatal(err)
		}
		err := database.InTenant(t.Context(), s.pool, "demo", func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), sql)
			return err
		})
		if err == nil {
			t.Errorf("the APIs write %s", what)
		}
	}
}
