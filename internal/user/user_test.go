package user_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"orderbell/internal/user"
)

func TestIsID(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"6f1f6c1e-3c57-4b4b-9a0e-0d6d2f1f9b10": true, "6F1F6C1E-3C57-4B4B-9A0E-0D6D2F1F9B10": false,
		"{6f1f6c1e-3c57-4b4b-9a0e-0d6d2f1f9b10}": false, "urn:uuid:6f1f6c1e-3c57-4b4b-9a0e-0d6d2f1f9b10": false,
		"6f1f6c1e3c574b4b9a0e0d6d2f1f9b10": false, "6f1f6c1e-3c57-4b4b-9a0e-0d6d2f1f9b10\n": false, "u1": false, "": false,
	} {
		if got := user.IsID(s); got != want {
			t.Errorf("IsID(%q) is %v", s, got)
		}
	}
}

func TestHasAny(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		held []user.Role
		want bool
	}{
		"a cashier sells":                 {[]user.Role{user.Cashier}, true},
		"the kitchen does not":            {[]user.Role{user.Kitchen}, false},
		"one fitting role is enough":      {[]user.Role{user.Viewer, user.Owner}, true},
		"a user without a role may not":   {nil, false},
		"an unknown role permits nothing": {[]user.Role{"boss"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := user.HasAny(tt.held, user.Sellers()); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
	if user.Role("boss").Valid() || !user.Viewer.Valid() {
		t.Error("Valid and Roles differ")
	}
}

func TestTenantID(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Corner Shop": "corner-shop", "  Ana's  Café & Bar ": "ana-s-caf-bar", "24/7": "24-7", "喫茶": "", "": "",
		strings.Repeat("a", 63) + " " + strings.Repeat("b", 9): strings.Repeat("a", 63),
	} {
		if got := user.TenantID(name); got != want {
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
		if got := user.IsTenantName(name); got != want {
			t.Errorf("IsTenantName(%q) = %t", name, got)
		}
	}
}

func TestTimeZones(t *testing.T) {
	t.Parallel()
	for zone, want := range map[string]bool{
		"UTC": true, "Asia/Jakarta": true, "Europe/Berlin": true, "America/Argentina/Buenos_Aires": true, "Asia/Calcutta": true,
		"": false, "Local": false, "localtime": false, "posixrules": false, "posix/Europe/Berlin": false, "right/UTC": false,
		"Europe//Berlin": false, "Europe/Berlin/": false, "./Europe/Berlin": false, "europe/berlin": false, "Factory": false, "Mars/Base": false,
		"Europe/Berlin\n": false, "Europe/Berlin Asia/Jakarta": false,
	} {
		if user.IsTimeZone(zone) != want {
			t.Errorf("IsTimeZone(%q) = %t", zone, !want)
		}
	}
	all := user.TimeZones()
	if len(all) < 400 || !slices.IsSorted(all) {
		t.Fatalf("%d zones, sorted: %t", len(all), slices.IsSorted(all))
	}
	for _, zone := range all {
		if _, err := time.LoadLocation(zone); err != nil {
			t.Error(err)
		}
	}
}
