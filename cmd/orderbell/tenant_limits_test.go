package main_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/store/database/databasetest"
)

func TestTenantLimits(t *testing.T) {
	t.Parallel()
	env := []string{"DATABASE_URL=" + databasetest.URL(t), "TENANT_MAILS_PER_HOUR=77"}
	call(t, env, "tenant", "create", "--name", "Corner Shop", "--owner-email", "ana@shop.example")
	shown := call(t, env, "tenant", "limits", "corner-shop")
	for _, want := range []string{"max_users          500      TENANT_MAX_USERS", "mails_per_hour     77       TENANT_MAILS_PER_HOUR"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the limits of a new tenant are\n%swant %q", shown, want)
		}
	}
	set := parse[map[string]int64](t, call(t, env, "tenant", "limits", "corner-shop", "set", "max_users=2000", "orders_per_second=9", "--json"))
	if diff := cmp.Diff(map[string]int64{"max_users": 2000, "orders_per_second": 9}, set); diff != "" {
		t.Error(diff)
	}
	if shown := call(t, env, "tenant", "limits", "corner-shop", "unset", "orders_per_second"); !strings.Contains(shown, "max_users          2000     this tenant") ||
		!strings.Contains(shown, "orders_per_second  50       TENANT_ORDERS_PER_SECOND") {
		t.Errorf("after unset the limits are\n%s", shown)
	}
	for what, c := range map[string]struct {
		args   []string
		says   string
		status int
	}{
		"a tenant that does not exist":               {[]string{"nowhere"}, "there is no tenant nowhere", 1},
		"a limit of a tenant that does not exist":    {[]string{"nowhere", "set", "max_users=3"}, "there is no tenant nowhere", 1},
		"a limit that does not exist":                {[]string{"corner-shop", "set", "users=3"}, `not "users"`, 2},
		"a value that is too small":                  {[]string{"corner-shop", "set", "max_users=0"}, `max_users must be a whole number, 1 or more, not "0"`, 2},
		"a value for unset":                          {[]string{"corner-shop", "unset", "max_users=1"}, "or unset LIMIT", 2},
		"another word":                               {[]string{"corner-shop", "show", "max_users"}, "give TENANT", 2},
		"a default that would stop everybody's work": {[]string{"corner-shop"}, "TENANT_MAX_USERS is 0, want 1 or more", 1},
	} {
		of := env
		if c.status == 1 && strings.Contains(c.says, "TENANT_MAX_USERS") {
			of = append([]string{"TENANT_MAX_USERS=0"}, env...)
		}
		if _, stderr, status := run(t, of, append([]string{"tenant", "limits"}, c.args...)...); status != c.status || !strings.Contains(stderr, c.says) {
			t.Errorf("%s: exit status %d and %q, want %d and %q", what, status, stderr, c.status, c.says)
		}
	}
}
