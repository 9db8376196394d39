package main_test

import (
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"

	"orderbell/internal/auth"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
)

// TestRevokeWithoutRedis has the revocation kept: programs read it from the database.
func TestRevokeWithoutRedis(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	database := databasetest.URL(t)
	env := []string{"REDIS_URL=redis://" + redis.Addr(), "DATABASE_URL=" + database}
	call(t, env, "tenant", "create", "--name", "Corner Shop", "--owner-email", "ana@shop.example")
	redis.Close()
	_, stderr, status := run(t, env, "revoke", "--tenant", "corner-shop", "--token-id", "t1", "--for", "1s")
	if status != 1 || !strings.Contains(stderr, "revoked within a minute") {
		t.Errorf("exit status %d, %q", status, stderr)
	}
	all, err := userstore.New(databasetest.Open(t, database)).Revocations(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("kept %+v, %v", all, err)
	}
	if r := all[0]; r.TenantID != "corner-shop" || r.TokenID != "t1" || r.UserID != "" || r.Until.Sub(r.At) != auth.RevocationKept {
		t.Errorf("kept %+v", r)
	}
}

func TestRevokeAUser(t *testing.T) {
	t.Parallel()
	url := "redis://" + miniredis.RunT(t).Addr()
	env := []string{"REDIS_URL=" + url, "DATABASE_URL=" + databasetest.URL(t)}
	if _, stderr, status := run(t, env, "audit"); status != 1 || !strings.Contains(stderr, "no records of any tenant") {
		t.Errorf("an empty audit trail: exit status %d, %q", status, stderr)
	}
	made := parse[map[string]string](t, call(t, env, "tenant", "create", "--name", "Corner Shop", "--owner-email", "ana@shop.example", "--json"))
	owner := made["owner_id"]
	for _, who := range []string{"ANA@shop.example", owner} {
		if said := call(t, env, "revoke", "--tenant", "corner-shop", "--user", who); !strings.Contains(said, "the tokens of user ana@shop.example") {
			t.Errorf("revoke says %q", said)
		}
	}
	call(t, env, "revoke", "--tenant", "corner-shop", "--subject", "till-bridge")
	all, err := feedtest.Open(t, feedtest.Config(url)).Revocations(t.Context())
	if err != nil || len(all) != 3 || all[0].UserID != owner || all[1].UserID != owner || all[2].UserID != "till-bridge" {
		t.Errorf("revoked %+v, %v", all, err)
	}
	for _, c := range [][]string{{"--tenant", "corner-shop", "--user", "eve@shop.example"}, {"--tenant", "corner-shop", "--user", "0190aaaa-0000-7000-8000-000000000001"}, {"--tenant", "nowhere", "--token-id", "t"}} {
		if _, stderr, status := run(t, env, append([]string{"revoke"}, c...)...); status != 1 || !strings.Contains(stderr, "no user") && !strings.Contains(stderr, "no tenant") {
			t.Errorf("%v: exit status %d, %q, want 1", c, status, stderr)
		}
	}
	var targets []string
	for _, r := range parse[[]auditRecord](t, call(t, env, "audit", "--tenant", "corner-shop", "--json")) {
		if r.Action == "tenant.created" {
			continue
		}
		if r.Action != "tokens.revoked" || !strings.HasPrefix(r.Actor, "operator:") || r.Outcome != "done" {
			t.Errorf("the record is %+v", r)
		}
		targets = append(targets, r.Target)
	}
	if diff := cmp.Diff([]string{"service:till-bridge", "user:" + owner, "user:" + owner}, targets); diff != "" {
		t.Error(diff)
	}
	if shown := call(t, env, "audit"); !strings.Contains(shown, "tokens.revoked  service:till-bridge") {
		t.Errorf("the table is\n%s", shown)
	}
}
