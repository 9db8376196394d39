package userstore_test

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

func shop() (user.Tenant, user.User) {
	return user.Tenant{ID: "corner-shop", Name: "Corner Shop", Locale: "id", Currency: "IDR", TimeZone: "Asia/Jakarta"},
		user.User{Email: "Owner@shop.example", Name: "Ana", Roles: []user.Role{user.Owner}, EmailEnabled: true, InAppEnabled: true}
}

func TestFound(t *testing.T) {
	t.Parallel()
	s := userstore.New(databasetest.New(t))
	if all, err := s.Tenants(t.Context()); err != nil || len(all) != 0 {
		t.Fatalf("an empty database has %v, %v", all, err)
	}
	tenant, first := shop()
	owner, err := s.Found(t.Context(), tenant, first, "operator:x")
	if err != nil {
		t.Fatal(err)
	}
	want := first
	want.TenantID, want.Version = tenant.ID, 1
	want.EmailEvents, want.InAppEvents, want.TimeZone = user.UsualEvents(), user.UsualEvents(), user.UsualTimeZone
	if diff := cmp.Diff(want, owner, timeless(), cmpopts.IgnoreFields(user.User{}, "ID")); diff != "" || owner.ID == "" {
		t.Errorf("the owner %+v: %s", owner, diff)
	}
	if _, err := s.Add(t.Context(), user.User{TenantID: tenant.ID, Email: "cook@shop.example", Roles: []user.Role{user.Kitchen}}); err != nil {
		t.Errorf("the tenant accepts no user: %v", err)
	}

	taken := map[string]struct {
		id, name string
		want     error
	}{
		"the id":                    {"corner-shop", "Another", user.ErrTenantTaken},
		"the name":                  {"another", "Corner Shop", user.ErrNameTaken},
		"the name, typed otherwise": {"another", "CORNER shop", user.ErrNameTaken},
	}
	for what, c := range taken {
		if _, err := s.Found(t.Context(), user.Tenant{ID: c.id, Name: c.name, Locale: "en"}, first, "operator:x"); !errors.Is(err, c.want) {
			t.Errorf("%s again: %v, want %v", what, err, c.want)
		}
	}
	// A tenant whose owner cannot be stored is not created either. An address may belong to users of two tenants.
	wrong := first
	wrong.Roles = []user.Role{"admin"}
	if _, err := s.Found(t.Context(), user.Tenant{ID: "half", Name: "Half", Locale: "en"}, wrong, "operator:x"); err == nil {
		t.Error("an owner with the role admin was accepted")
	}
	if _, err := s.Found(t.Context(), user.Tenant{ID: "second", Name: "Second", Locale: "en"}, first, "operator:x"); err != nil {
		t.Errorf("the same owner's second business: %v", err)
	}
	all, err := s.Tenants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tenant.Version = 1
	businesses := []user.Business{
		{Tenant: tenant, Owners: []string{"Owner@shop.example"}, Users: 2},
		{Tenant: user.Tenant{ID: "second", Name: "Second", Locale: "en", Currency: "EUR", TimeZone: "UTC", Version: 1}, Owners: []string{"Owner@shop.example"}, Users: 1},
	}
	if diff := cmp.Diff(businesses, all, cmpopts.IgnoreFields(user.Business{}, "CreatedAt")); diff != "" {
		t.Error(diff)
	}
}

func TestANameIsTakenOnce(t *testing.T) {
	t.Parallel()
	s := userstore.New(databasetest.New(t))
	_, first := shop()
	const rivals = 8
	outcomes := make([]error, rivals)
	var group sync.WaitGroup
	for i := range rivals {
		group.Go(func() {
			_, outcomes[i] = s.Found(t.Context(), user.Tenant{ID: "shop" + strconv.Itoa(i), Name: "Shop", Locale: "en"}, first, "operator:x")
		})
	}
	group.Wait()
	made := 0
	for _, err := range outcomes {
		if err == nil {
			made++
		} else if !errors.Is(err, user.ErrNameTaken) {
			t.Error(err)
		}
	}
	if made != 1 {
		t.Errorf("%d tenants of the name, want 1", made)
	}
}

// A role that sees only one tenant's rows must not list or create tenants.
func TestTenantsAreTheOwnersBusiness(t *testing.T) {
	t.Parallel()
	pool := databasetest.New(t)
	tenant, first := shop()
	if _, err := userstore.New(pool).Found(t.Context(), tenant, first, "operator:x"); err != nil {
		t.Fatal(err)
	}
	asAPI := poolAs(t, pool, "orderbell_api")
	if all, err := userstore.New(asAPI).Tenants(t.Context()); err == nil || !strings.Contains(err.Error(), "does not see the rows of all tenants") {
		t.Errorf("the role of the APIs lists %v, %v, want a refusal", all, err)
	}
	if _, err := userstore.New(asAPI).Found(t.Context(), user.Tenant{ID: "x", Name: "X", Locale: "en"}, first, "operator:x"); err == nil {
		t.Error("the role of the APIs made a tenant")
	}
}

// poolAs returns one more pool on the database, whose connections have taken the role.
func poolAs(t *testing.T, pool *database.Pool, role string) *database.Pool {
	t.Helper()
	address, err := url.Parse(pool.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	query := address.Query()
	query.Set("role", role)
	address.RawQuery = query.Encode()
	return databasetest.Open(t, address.String())
}
