package main_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/store/database/databasetest"
)

func TestSource(t *testing.T) {
	t.Parallel()
	env := []string{"DATABASE_URL=" + databasetest.URL(t)}
	call(t, env, "tenant", "create", "--name", "Corner Shop", "--owner-email", "ana@shop.example")
	listed := func() (found []string) {
		for _, s := range parse[[]map[string]string](t, call(t, env, "source", "list", "--json")) {
			found = append(found, s["source"]+" "+s["tenant_id"])
		}
		return found
	}
	if got := call(t, env, "source", "list"); !strings.Contains(got, "/orderbell/order-api  all") || len(listed()) != 0 {
		t.Errorf("at first: %s", got)
	}
	if got := call(t, env, "source", "allow", "/corner-shop/tills", "--tenant", "corner-shop"); got != "allowed /corner-shop/tills for corner-shop\n" {
		t.Error(got)
	}
	if diff := cmp.Diff([]string{"/corner-shop/tills corner-shop"}, listed()); diff != "" {
		t.Error(diff)
	}
	if got := call(t, env, "audit", "--tenant", "corner-shop", "--json"); !strings.Contains(got, "source.allowed") || !strings.Contains(got, "source:/corner-shop/tills") {
		t.Errorf("the audit trail: %s", got)
	}
	for what, c := range map[string]struct {
		args   []string
		says   string
		status int
	}{
		"one that is allowed already":          {[]string{"allow", "/corner-shop/tills", "--tenant", "corner-shop"}, "is already allowed for corner-shop", 1},
		"a tenant that does not exist":         {[]string{"allow", "/a", "--tenant", "nowhere"}, "there is no tenant nowhere", 1},
		"one that was never allowed":           {[]string{"remove", "/a", "--tenant", "corner-shop"}, "nothing changed", 1},
		"no tenant":                            {[]string{"allow", "/a"}, "--tenant is missing", 2},
		"Orderbell's own source":               {[]string{"remove", "/orderbell/order-api", "--tenant", "corner-shop"}, "cannot be changed", 2},
		"a source that is not a URI reference": {[]string{"allow", "%zz", "--tenant", "corner-shop"}, "must be a URI reference", 2},
		"a source that is longer than a row":   {[]string{"allow", "/" + strings.Repeat("s", 255), "--tenant", "corner-shop"}, "at most 255 bytes", 2},
	} {
		if _, stderr, status := run(t, env, append([]string{"source"}, c.args...)...); status != c.status || !strings.Contains(stderr, c.says) {
			t.Errorf("%s: exit status %d and %q, want %d and %q", what, status, stderr, c.status, c.says)
		}
	}
	call(t, env, "source", "remove", "/corner-shop/tills", "--tenant", "corner-shop")
	if got := listed(); len(got) != 0 {
		t.Errorf("after remove: %v", got)
	}
}
