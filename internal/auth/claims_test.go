package auth_test

import (
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"orderbell/internal/auth"
	"orderbell/internal/service"
	"orderbell/internal/user"
)

// The configuration is read as a program reads it, from the environment of the process, so this test is not parallel.
func TestClaimsOfAProvider(t *testing.T) {
	for name, tt := range map[string]struct {
		env    map[string]string
		claims jwt.MapClaims
		tenant string
		user   string
		roles  []user.Role
	}{
		"nested claims, roles under other names": {
			map[string]string{
				"AUTH_TENANT_CLAIM": "organization", "AUTH_ROLES_CLAIM": "realm_access.roles", "AUTH_USER_CLAIM": "orderbell.user",
				"AUTH_ROLE_NAMES": "kasir:cashier, urn:shop:boss:owner,, x:viewer,",
			},
			jwt.MapClaims{
				"organization": []string{"demo"}, "realm_access": map[string]any{"roles": []string{"kasir", "urn:shop:boss", "offline_access"}},
				"orderbell": map[string]any{"user": "u7"}, "sub": "f:1:ana",
			},
			"demo", "u7",
			[]user.Role{user.Cashier, user.Owner},
		},
		"claims named by URLs": {
			map[string]string{"AUTH_TENANT_CLAIM": "https://id.example/tenant", "AUTH_ROLES_CLAIM": "https://id.example/roles"},
			jwt.MapClaims{"https://id.example/tenant": "demo", "https://id.example/roles": []string{"viewer"}, "sub": "u1"},
			"demo", "u1",
			[]user.Role{user.Viewer},
		},
		"roles as the members of an object": {
			map[string]string{"AUTH_ROLES_CLAIM": "grants"},
			jwt.MapClaims{"tenant_id": "demo", "grants": map[string]any{"kitchen": map[string]any{"1042": "demo"}}, "sub": "u1"},
			"demo", "u1",
			[]user.Role{user.Kitchen},
		},
		"a provider of one business": {
			map[string]string{"AUTH_TENANT": "demo"}, jwt.MapClaims{"sub": "u1", "roles": "owner"}, "demo", "u1", []user.Role{user.Owner},
		},
		"a provider that issues tokens for its one business": {
			map[string]string{"AUTH_TENANT": "demo"}, jwt.MapClaims{"tenant_id": "demo", "sub": "u1"}, "demo", "u1", nil,
		},
		"a provider that issues a token for another business": {map[string]string{"AUTH_TENANT": "demo"}, jwt.MapClaims{"tenant_id": "kopi", "sub": "u1"}, "", "", nil},
		"a tenant that is a number, with a fixed tenant":      {map[string]string{"AUTH_TENANT": "demo"}, jwt.MapClaims{"tenant_id": 7, "sub": "u1"}, "", "", nil},
		"a token for two businesses":                          {nil, jwt.MapClaims{"tenant_id": []string{"demo", "kopi"}, "sub": "u1"}, "", "", nil},
		"a token without a user":                              {map[string]string{"AUTH_USER_CLAIM": "uid"}, jwt.MapClaims{"tenant_id": "demo", "sub": "u1"}, "", "", nil},
		"a path that ends too soon":                           {map[string]string{"AUTH_TENANT_CLAIM": "a.b"}, jwt.MapClaims{"a": "demo", "sub": "u1"}, "", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AUTH_DEV_SECRET", secret)
			for variable, value := range tt.env {
				t.Setenv(variable, value)
			}
			var cfg auth.Config
			if err := service.Load(&cfg); err != nil {
				t.Fatal(err)
			}
			v, err := auth.NewVerifier(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			p, err := v.Verify(token(t, jwt.SigningMethodHS256, []byte(secret), func(c jwt.MapClaims) {
				delete(c, "tenant_id")
				delete(c, "roles")
				for name, value := range tt.claims {
					c[name] = value
				}
			}))
			if (err == nil) != (tt.tenant != "") {
				t.Fatalf("error is %v", err)
			}
			want := auth.Principal{TenantID: tt.tenant, UserID: tt.user, Roles: tt.roles, Expires: p.Expires, Issued: p.Issued}
			if diff := cmp.Diff(want, p); diff != "" {
				t.Error(diff)
			}
		})
	}
	for names, says := range map[string]string{"kasir": "not theirs:ours", ":owner": "not theirs:ours", "kasir:casher": "is not a role"} {
		t.Run("AUTH_ROLE_NAMES="+names+" is refused", func(t *testing.T) {
			t.Setenv("AUTH_ROLE_NAMES", names)
			var cfg auth.Config
			if err := service.Load(&cfg); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "AUTH_ROLE_NAMES") {
				t.Errorf("error is %v, want %q", err, says)
			}
		})
	}
}
