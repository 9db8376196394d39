package userstore_test

import (
	"errors"
	"strings"
	"testing"

	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

func twoTenants(t *testing.T, s *userstore.Store) {
	t.Helper()
	for _, tenant := range []string{"demo", "other"} {
		if err := s.EnsureTenant(t.Context(), user.Tenant{ID: tenant, Name: tenant, Locale: "en"}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRolesAreThoseOfTheTenantsUser asks for the roles of another tenant's user without row-level security, so that the condition of
// the statement alone decides.
func TestRolesAreThoseOfTheTenantsUser(t *testing.T) {
	t.Parallel()
	pool := databasetest.New(t)
	s := userstore.New(pool)
	twoTenants(t, s)
	owner := add(t, s, "demo", "owner@demo.example", user.Owner)
	if _, err := pool.Exec(t.Context(), "ALTER TABLE users DISABLE ROW LEVEL SECURITY"); err != nil {
		t.Fatal(err)
	}
	if roles, err := s.Roles(t.Context(), "demo", owner.ID); err != nil || len(roles) != 1 {
		t.Errorf("the owner's roles are %v, %v", roles, err)
	}
	if roles, err := s.Roles(t.Context(), "other", owner.ID); !errors.Is(err, user.ErrNotFound) {
		t.Errorf("in the other tenant the user has the roles %v, %v", roles, err)
	}
}

func TestASourceKeepsItsOtherTenants(t *testing.T) {
	t.Parallel()
	s := userstore.New(databasetest.New(t))
	twoTenants(t, s)
	for _, tenant := range []string{"demo", "other"} {
		if changed, err := s.AllowSource(t.Context(), "/tills", tenant, "operator:x"); err != nil || !changed {
			t.Fatal(changed, err)
		}
	}
	if changed, err := s.RemoveSource(t.Context(), "/tills", "demo", "operator:x"); err != nil || !changed {
		t.Fatal(changed, err)
	}
	if left, err := s.Sources(t.Context()); err != nil || len(left) != 1 || left[0].TenantID != "other" {
		t.Errorf("left are %+v, %v, want the source's permission for other", left, err)
	}
}

func TestDevicesOfAnotherTenantDoNotCount(t *testing.T) {
	t.Parallel()
	pool := databasetest.New(t)
	s := userstore.New(pool)
	if _, err := pool.Exec(t.Context(), "ALTER TABLE devices DISABLE ROW LEVEL SECURITY"); err != nil {
		t.Fatal(err)
	}
	pair := func(tenant, code string) error {
		if err := s.BeginPairing(t.Context(), code, strings.Repeat("0", 56)+code); err != nil {
			t.Fatal(err)
		}
		_, err := s.Pair(t.Context(), user.Device{TenantID: tenant, Name: "till " + code, Role: user.Cashier}, code, 1, user.Act{Actor: "operator:x"}, "")
		return err
	}
	twoTenants(t, s)
	var limit *user.LimitError
	if err := pair("demo", "00000001"); err != nil {
		t.Fatal(err)
	}
	if err := pair("other", "00000002"); err != nil {
		t.Errorf("the first device of the other tenant: %v", err)
	}
	if err := pair("demo", "00000003"); !errors.As(err, &limit) {
		t.Errorf("the second device of a tenant that may have one: %v", err)
	}
}
