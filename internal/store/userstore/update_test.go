package userstore_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/address"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

func add(t *testing.T, s *userstore.Store, tenant, email string, roles ...user.Role) user.User {
	t.Helper()
	p, err := s.Add(t.Context(), user.User{TenantID: tenant, Email: email, Roles: roles})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func ptr[T any](v T) *T { return &v }

func TestAdd(t *testing.T) {
	t.Parallel()
	s := setup(t)
	first := add(t, s, "demo", "ana@demo.example", user.Owner)
	for name, tt := range map[string]struct {
		tenant, email string
		want          error
	}{
		"a tenant has one user with an address, however it is typed": {"demo", "ANA@demo.example", user.ErrEmailTaken},
		"another tenant may have a user with the address":            {"other", "ana@demo.example", nil},
		"a tenant that does not exist":                               {"nobody", "ana@demo.example", user.ErrNoTenant},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := s.Add(t.Context(), user.User{TenantID: tt.tenant, Email: tt.email, Roles: []user.Role{user.Viewer}})
			if !errors.Is(err, tt.want) {
				t.Errorf("Add = %v, want %v", err, tt.want)
			}
		})
	}
	t.Run("a user is found by id, in their tenant alone", func(t *testing.T) {
		t.Parallel()
		got, err := s.Find(t.Context(), "demo", first.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, got); diff != "" {
			t.Error(diff)
		}
		if _, err := s.Find(t.Context(), "other", first.ID); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("the other tenant's Find = %v, want %v", err, user.ErrNotFound)
		}
	})
}

func TestUsersComeInPages(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var want, got []string
	for _, email := range []string{"e@x.example", "d@x.example", "c@x.example", "b@x.example", "a@x.example"} {
		want = append(want, add(t, s, "demo", email, user.Viewer).Email)
	}
	after := ""
	for {
		page, more, err := s.Users(t.Context(), "demo", after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page {
			got, after = append(got, p.Email), p.ID
		}
		if !more {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	s := setup(t)
	owner := add(t, s, "demo", "owner@demo.example", user.Owner)
	t.Run("fields that are not named do not change", func(t *testing.T) {
		t.Parallel()
		p := add(t, s, "demo", "bo@demo.example", user.Cashier)
		changed, err := s.Update(t.Context(), "demo", p.ID, user.Change{Name: ptr("Bo"), EmailEnabled: ptr(true)}, terms())
		if err != nil {
			t.Fatal(err)
		}
		want := p
		want.Name, want.EmailEnabled, want.Version = "Bo", true, 2
		if diff := cmp.Diff(want, changed, timeless()); diff != "" {
			t.Error(diff)
		}
		if !changed.UpdatedAt.After(p.UpdatedAt) || !changed.CreatedAt.Equal(p.CreatedAt) {
			t.Errorf("the times are %v and %v, were %v", changed.CreatedAt, changed.UpdatedAt, p.CreatedAt)
		}
	})
	t.Run("a refused update changes nothing", func(t *testing.T) {
		t.Parallel()
		p := add(t, s, "demo", "cy@demo.example", user.Cashier)
		for name, tt := range map[string]struct {
			tenant, id string
			change     user.Change
			want       error
		}{
			"another version":                         {"demo", p.ID, user.Change{Name: ptr("x"), Version: 7}, user.ErrStale},
			"another tenant's":                        {"other", p.ID, user.Change{Name: ptr("x")}, user.ErrNotFound},
			"somebody's address":                      {"demo", p.ID, user.Change{Name: ptr("x"), Email: ptr("OWNER@demo.example")}, user.ErrEmailTaken},
			"the last owner":                          {"demo", owner.ID, user.Change{Name: ptr("x"), Roles: []user.Role{user.Manager}}, user.ErrLastOwner},
			"an owner, by a user who is not an owner": {"demo", owner.ID, user.Change{Name: ptr("x"), SpareOwners: true}, user.ErrOwner},
		} {
			if _, err := s.Update(t.Context(), tt.tenant, tt.id, tt.change, terms()); !errors.Is(err, tt.want) {
				t.Errorf("%s: Update = %v, want %v", name, err, tt.want)
			}
			for _, was := range []user.User{p, owner} {
				now, err := s.Find(t.Context(), "demo", was.ID)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(was, now); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
		}
	})
	t.Run("an owner may step down while there is another", func(t *testing.T) {
		t.Parallel()
		one := add(t, s, "other", "one@other.example", user.Owner)
		add(t, s, "other", "two@other.example", user.Owner, user.Kitchen)
		if _, err := s.Update(t.Context(), "other", one.ID, user.Change{Roles: []user.Role{user.Viewer}}, terms()); err != nil {
			t.Error(err)
		}
	})
}

func TestOfOwnersWhoStepDownAtOnceOneStays(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for round := range 10 {
		tenant := user.Tenant{ID: "round-" + string(rune('a'+round)), Name: "x", Locale: "en", Currency: "EUR", TimeZone: "UTC"}
		if err := s.EnsureTenant(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
		var owners []user.User
		for _, email := range []string{"a@x.example", "b@x.example", "c@x.example"} {
			owners = append(owners, add(t, s, tenant.ID, email, user.Owner))
		}
		errs := make([]error, len(owners))
		var all sync.WaitGroup
		for i, p := range owners {
			all.Go(func() {
				_, errs[i] = s.Update(t.Context(), tenant.ID, p.ID, user.Change{Roles: []user.Role{user.Viewer}}, terms())
			})
		}
		all.Wait()
		stayed := 0
		for _, err := range errs {
			if errors.Is(err, user.ErrLastOwner) {
				stayed++
			} else if err != nil {
				t.Error(err)
			}
		}
		if stayed != 1 {
			t.Fatalf("%d of %d owners stayed, want 1", stayed, len(owners))
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	pool := databasetest.New(t)
	s := userstore.New(pool)
	if err := s.EnsureTenant(t.Context(), user.Tenant{ID: "demo", Name: "Demo", Locale: "en", Currency: "EUR", TimeZone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	add := func(email string) (user.User, error) {
		return s.Add(t.Context(), user.User{TenantID: "demo", Email: email, Roles: []user.Role{user.Owner}})
	}
	kasse, err := add("kasse@b\u00fccher.example")
	if err != nil || kasse.Email != "kasse@xn--bcher-kva.example" {
		t.Fatalf("stored as %q, %v", kasse.Email, err)
	}
	for _, spelling := range []string{"kasse@xn--bcher-kva.example", "KASSE@B\u00dcCHER.example", "kasse@XN--BCHER-KVA.example"} {
		if _, err := add(spelling); !errors.Is(err, user.ErrEmailTaken) {
			t.Errorf("%s is another user's: %v", spelling, err)
		}
		if found, err := s.FindByEmail(t.Context(), "demo", spelling); err != nil || found.ID != kasse.ID {
			t.Errorf("%s finds %s, %v", spelling, found.ID, err)
		}
	}
	other, err := add("other@b.example")
	if err != nil {
		t.Fatal(err)
	}
	taken := "kasse@b\u00fccher.example"
	if _, err := s.Update(t.Context(), "demo", other.ID, user.Change{Email: &taken}, terms()); !errors.Is(err, user.ErrEmailTaken) {
		t.Errorf("changed to a mailbox that is another user's: %v", err)
	}
	for _, bad := range []string{"a@localhost", "a@[127.0.0.1]", "a@-x.example", "a@127.0.0.1", "a@b.4you", "\u00fc@b.example", strings.Repeat("l", 70) + "@b.example", `"a b"@c.example`, "a@b.example\n"} {
		if _, err := address.Parse(bad); err == nil {
			t.Errorf("%q is an address, but not in the database", bad)
		}
		if _, err := pool.Exec(t.Context(), `INSERT INTO users (id, tenant_id, email, roles) VALUES (gen_random_uuid(), 'demo', $1, '{owner}')`, bad); err == nil {
			t.Errorf("the database takes %q", bad)
		}
		if _, err := pool.Exec(t.Context(), `UPDATE users SET email = $1 WHERE id = $2`, bad, other.ID); err == nil {
			t.Errorf("the database takes %q as a change", bad)
		}
	}
	// A user whose address is older than the rule changes everything else.
	for _, sql := range []string{
		`ALTER TABLE users DISABLE TRIGGER users_email_mailable_insert`,
		`INSERT INTO users (id, tenant_id, email, roles) VALUES ('01a2b3c4-0000-7000-8000-0000000000a1', 'demo', 'old@localhost', '{owner}')`,
		`UPDATE users SET name = 'Old' WHERE email = 'old@localhost'`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
}
