package feedtest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/auth"
	"orderbell/internal/dev/waittest"
	"orderbell/internal/feed"
)

// revocationSink passes on its calls.
type revocationSink struct {
	told      chan auth.Revocation
	confirmed chan struct{}
}

func (s revocationSink) Revoked(r auth.Revocation) { s.told <- r }

func (s revocationSink) RevocationsConfirmed() { s.confirmed <- struct{}{} }

func revocations(t *testing.T, url string) {
	f, tenant := Open(t, Config(url)), Tenant()
	sink := revocationSink{told: make(chan auth.Revocation, 1000), confirmed: make(chan struct{}, 1000)}
	f.FollowRevocations(sink)
	Run(t, f)
	select {
	case <-sink.confirmed:
	case <-time.After(waittest.Patience):
		t.Fatal("revocations are not followed")
	}
	now := time.Now().Truncate(time.Millisecond)
	user := auth.Revocation{TenantID: tenant, UserID: "u1", At: now, Until: now.Add(time.Hour)}
	token := auth.Revocation{TenantID: tenant, TokenID: "t1", At: now, Until: now.Add(2 * time.Hour)}
	brief := auth.Revocation{TenantID: tenant, TokenID: "t2", At: now, Until: now.Add(2 * time.Second)}
	for _, r := range []auth.Revocation{user, token, brief, user} { // the last one is a repetition
		if err := f.Revoke(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		for {
			told := <-sink.told
			if told.TenantID != tenant {
				continue // another test's
			}
			if diff := cmp.Diff(r, told); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			break
		}
	}
	waittest.Until(t, "a revocation that is over is gone, the others are not", func() bool {
		return cmp.Diff([]auth.Revocation{user, token}, revocationsOf(t, f, tenant)) == ""
	})
}

// revocationsOf returns the tenant's, in the order of their ends.
func revocationsOf(tb testing.TB, f *feed.Feed, tenant string) []auth.Revocation {
	tb.Helper()
	all, err := f.Revocations(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return slices.DeleteFunc(all, func(r auth.Revocation) bool { return r.TenantID != tenant })
}

func badRevocations(t *testing.T, url string) {
	f, tenant, later := Open(t, Config(url)), Tenant(), time.Now().Add(time.Hour)
	for name, r := range map[string]auth.Revocation{
		"of no tenant":            {UserID: "u1", Until: later},
		"without a user or token": {TenantID: tenant, Until: later},
		"of a user and a token":   {TenantID: tenant, UserID: "u1", TokenID: "t1", Until: later},
		"that is over by itself":  {TenantID: tenant, UserID: "u1", Until: time.Now()},
	} {
		if err := f.Revoke(t.Context(), r); err == nil {
			t.Errorf("a revocation %s was accepted", name)
		}
	}
}
