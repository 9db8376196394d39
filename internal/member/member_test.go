package member_test

import (
	"strings"
	"testing"

	"orderbell/internal/member"
)

func TestHasAny(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		held []member.Role
		want bool
	}{
		"a cashier sells":                 {[]member.Role{member.Cashier}, true},
		"the kitchen does not":            {[]member.Role{member.Kitchen}, false},
		"one fitting role is enough":      {[]member.Role{member.Viewer, member.Owner}, true},
		"nobody without a role may do it": {nil, false},
		"a made-up role counts for none":  {[]member.Role{"boss"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := member.HasAny(tt.held, member.Sellers()); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
	if member.Role("boss").Valid() || !member.Viewer.Valid() {
		t.Error("Valid knows other roles than Roles")
	}
}

func TestTenantID(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Corner Shop": "corner-shop", "  Ana's  Café & Bar ": "ana-s-caf-bar", "24/7": "24-7", "喫茶": "", "": "",
		strings.Repeat("a", 63) + " " + strings.Repeat("b", 9): strings.Repeat("a", 63),
	} {
		if got := member.TenantID(name); got != want {
			t.Errorf("TenantID(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestIsTenantName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"Corner Shop": true, "喫茶": true, strings.Repeat("ü", 200): true,
		"": false, " ": false, " Shop": false, "Shop ": false, "Corner  Shop": false, "Corner\nShop": false, "a\x00b": false,
		"\xff": false, strings.Repeat("ü", 201): false,
	} {
		if got := member.IsTenantName(name); got != want {
			t.Errorf("IsTenantName(%q) = %t", name, got)
		}
	}
}
