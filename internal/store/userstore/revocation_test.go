package userstore_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"orderbell/internal/auth"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

func TestRevocationsAreKeptUntilTheyAreOver(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	as := func(role string) *userstore.Store {
		return userstore.New(databasetest.Open(t, databasetest.As(t, address, role)))
	}
	operator := as("orderbell_operator")
	now := time.Now().UTC().Truncate(time.Microsecond)
	keep := func(r auth.Revocation) {
		t.Helper()
		if err := operator.KeepRevocation(t.Context(), r, user.Record{TenantID: r.TenantID, Actor: "operator:x", Action: "tokens.revoked", Outcome: user.Done}); err != nil {
			t.Fatal(err)
		}
	}
	first := auth.Revocation{TenantID: "demo", UserID: "u1", At: now, Until: now.Add(time.Hour)}
	again := auth.Revocation{TenantID: "demo", UserID: "u1", At: now.Add(time.Second), Until: now.Add(2 * time.Hour)}
	other := auth.Revocation{TenantID: "kopi", TokenID: "t1", At: now, Until: now.Add(time.Hour)}
	over := auth.Revocation{TenantID: "kopi", TokenID: "t2", At: now.Add(-time.Hour), Until: now.Add(-time.Minute)}
	for _, r := range []auth.Revocation{again, first, other, over} {
		keep(r)
	}
	for _, role := range []string{"orderbell_order_api", "orderbell_user_api", "orderbell_sse_gateway"} {
		got, err := as(role).Revocations(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		byTenant := cmpopts.SortSlices(func(a, b auth.Revocation) bool { return a.TenantID < b.TenantID })
		if diff := cmp.Diff([]auth.Revocation{again, other}, got, byTenant); diff != "" {
			t.Errorf("%s reads: %s", role, diff)
		}
	}
	sweeper := as("orderbell_delivery_sweeper")
	if n, err := sweeper.ForgetRevocations(t.Context(), time.Now(), 10); err != nil || n != 1 {
		t.Errorf("%d forgotten, %v, want 1", n, err)
	}
	if records, err := operator.Records(t.Context(), "demo", time.Time{}, 10); err != nil || len(records) != 2 {
		t.Errorf("the audit trail: %+v, %v", records, err)
	}
}
