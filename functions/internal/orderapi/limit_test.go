package orderapi_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orderbell/functions/internal/orderapi"
	"orderbell/internal/problem"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/orderstore"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

func TestATenantHasSoManyOrdersASecond(t *testing.T) {
	t.Parallel()
	pool := databasetest.New(t)
	if _, err := pool.Exec(t.Context(), "INSERT INTO tenants (id, name) VALUES ('acme', 'Acme'), ('other', 'Other')"); err != nil {
		t.Fatal(err)
	}
	limits := userstore.New(pool)
	most := int64(1)
	if _, err := limits.SetLimits(t.Context(), "acme", "operator:test", map[user.Limit]*int64{user.OrdersPerSecond: &most}); err != nil {
		t.Fatal(err)
	}
	b := serve(t, orderapi.Limited(orderstore.New(pool), limits, user.DefaultLimits{OrdersPerSecond: 1000}), pool)
	statuses := func(tenant string) map[int]int {
		all := map[int]int{}
		token := b.token(t, tenant, user.Owner)
		for range 20 {
			res := b.do(t, call{method: "POST", path: "/api/orders", body: `{"total_amount":1,"currency":"EUR"}`, header: []string{"Authorization", "Bearer " + token}})
			if all[res.StatusCode]++; res.StatusCode != http.StatusTooManyRequests {
				continue
			}
			if res.Header.Get("Retry-After") != "1" {
				t.Errorf("Retry-After is %q, want 1", res.Header.Get("Retry-After"))
			}
			if p := decode[problem.Problem](t, res, http.StatusTooManyRequests); p.Limit != "orders_per_second" || p.Detail != "the limit orders_per_second of 1 is reached: wait and try again" {
				t.Errorf("the refusal is %+v", p)
			}
		}
		return all
	}
	if got := statuses("acme"); got[201] < 1 || got[429] < 10 || got[201]+got[429] != 20 {
		t.Errorf("20 orders at once of one a second are answered %v", got)
	}
	if diff := cmp.Diff(map[int]int{201: 20}, statuses("other")); diff != "" {
		t.Errorf("another tenant's orders: %s", diff)
	}
}
