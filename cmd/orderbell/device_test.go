package main_test

import (
	"strings"
	"testing"

	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

func TestDevice(t *testing.T) {
	t.Parallel()
	url := databasetest.URL(t)
	env := []string{"DATABASE_URL=" + url}
	call(t, env, "tenant", "create", "--name", "Corner Shop", "--owner-email", "ana@shop.example")
	pool, err := database.Open(t.Context(), databasetest.Config(url), "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	store := userstore.New(pool)
	if err := store.BeginPairing(t.Context(), "BCDF-GHJK", user.HashSecret("secret")); err != nil {
		t.Fatal(err)
	}
	d := user.Device{TenantID: "corner-shop", Name: "Bar 1", Role: user.Kitchen}
	d, err = store.Pair(t.Context(), d, "BCDF-GHJK", 9, user.Act{Actor: "user:ana"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := call(t, env, "device", "list", "--tenant", "corner-shop"); !strings.Contains(got, "Bar 1  kitchen") || !strings.Contains(got, "never") || !strings.Contains(got, d.ID) {
		t.Errorf("device list: %s", got)
	}
	for what, c := range map[string]struct {
		args   []string
		says   string
		status int
	}{
		"a tenant that does not exist": {[]string{"list", "--tenant", "nowhere"}, "there is no tenant nowhere", 1},
		"a device that does not exist": {[]string{"revoke", "Bar", "--tenant", "corner-shop"}, `corner-shop has no device "Bar"`, 1},
		"no tenant":                    {[]string{"revoke", "Bar 1"}, "--tenant is missing", 2},
	} {
		if _, stderr, status := run(t, env, append([]string{"device"}, c.args...)...); status != c.status || !strings.Contains(stderr, c.says) {
			t.Errorf("%s: exit status %d and %q, want %d and %q", what, status, stderr, c.status, c.says)
		}
	}
	if got := call(t, env, "device", "revoke", "bar 1", "--tenant", "corner-shop"); got != "revoked Bar 1 ("+d.ID+")\n" {
		t.Error(got)
	}
	if got := call(t, env, "device", "list", "--tenant", "corner-shop"); strings.Contains(got, "Bar 1") {
		t.Errorf("after revoke: %s", got)
	}
	if got := call(t, env, "audit", "--tenant", "corner-shop", "--json"); !strings.Contains(got, "device.revoked") || !strings.Contains(got, "device:"+d.ID) {
		t.Errorf("the audit trail: %s", got)
	}
}
