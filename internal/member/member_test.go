package member_test

import (
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
