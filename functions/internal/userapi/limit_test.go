package userapi_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"orderbell/functions/internal/userapi"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/problem"
	"orderbell/internal/rights"
	"orderbell/internal/rights/rightstest"
	"orderbell/internal/user"
)

// bounded has the tenants' changes of users bounded: three of a user, ten of a tenant.
func (b *bundle) bounded(t *testing.T) {
	t.Helper()
	checker, told := rightstest.New(t, rights.Config{CacheFor: time.Minute}, b.store)
	b.handler = userapi.New(slog.New(slog.DiscardHandler), authtest.Verifier(t, b.tokens).With(checker), b.store, told, user.InvitationTerms{
		Limits: user.DefaultLimits{MaxUsers: 50, MaxInvitations: 40, UserChanges: 1}, Life: time.Hour, MailDomain: "orders.example",
	})
}

// TestChangesOfUsersAreBounded has an owner and managers who change, add and remove users in a loop. Each change leaves a record, and each
// removal a revocation in every program.
func TestChangesOfUsersAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.bounded(t)
	leaders := []string{b.asOwner, b.asManager}
	for _, name := range []string{"m1", "m2"} {
		p, err := b.store.Add(t.Context(), user.User{TenantID: "acme", Email: name + "@acme.example", Roles: []user.Role{user.Manager}})
		if err != nil {
			t.Fatal(err)
		}
		leaders = append(leaders, b.token(t, p))
	}
	roles := []string{`{"roles":["cashier"]}`, `{"roles":["viewer"]}`}
	change := func(token string, n, want int) {
		t.Helper()
		res := b.do(t, token, "PATCH", "/api/users/"+b.cashier.ID, roles[n%2])
		if res.StatusCode != want {
			t.Fatalf("change %d is %d, want %d", n, res.StatusCode, want)
		}
		if want == http.StatusTooManyRequests && res.Header.Get("Retry-After") != "3600" {
			t.Errorf("Retry-After is %q, want an hour", res.Header.Get("Retry-After"))
		}
	}
	for _, token := range leaders[:3] { // nine of ten
		for n := range 3 {
			change(token, n, http.StatusOK)
		}
		change(token, 3, http.StatusTooManyRequests)
	}
	for _, path := range []string{"/api/users", "/api/tenant"} {
		method := map[string]string{"/api/users": "POST", "/api/tenant": "PATCH"}[path]
		decode[problem.Problem](t, b.do(t, b.asOwner, method, path, `{}`), http.StatusTooManyRequests)
	}
	decode[problem.Problem](t, b.do(t, b.asOwner, "DELETE", "/api/users/"+b.cashier.ID, ""), http.StatusTooManyRequests)
	change(leaders[3], 0, http.StatusOK)
	change(leaders[3], 1, http.StatusTooManyRequests) // the tenant's, not the user's
	for n := range 2 {
		if res := b.do(t, b.asE, "PATCH", "/api/tenant", `{"locale":"id"}`); res.StatusCode != http.StatusOK {
			t.Errorf("change %d of another tenant is %d", n, res.StatusCode)
		}
	}
	if res := b.do(t, b.asOwner, "GET", "/api/users", ""); res.StatusCode != http.StatusOK {
		t.Errorf("reading is %d", res.StatusCode)
	}
}
