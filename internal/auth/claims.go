package auth

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"orderbell/internal/text"
	"orderbell/internal/user"
)

// RoleNames maps an identity provider's role names to ours.
type RoleNames map[string]string

// Decode reads theirs:ours,theirs:ours. Their names may contain colons.
func (n *RoleNames) Decode(s string) error {
	names := RoleNames{}
	for pair := range strings.SplitSeq(s, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		at := strings.LastIndexByte(pair, ':')
		if at < 1 {
			return fmt.Errorf("%q is not theirs:ours", pair)
		}
		names[pair[:at]] = pair[at+1:]
	}
	*n = names
	return n.check()
}

// check rejects a mapping to an unknown role.
func (n RoleNames) check() error {
	for _, theirs := range slices.Sorted(maps.Keys(n)) {
		if ours := user.Role(n[theirs]); !ours.Valid() {
			return fmt.Errorf("%s:%s is not a role: use one of %s", theirs, ours, text.List(user.Roles()))
		}
	}
	return nil
}

// find returns the claim called name. If there is no such claim, it treats name as a dotted path: some providers name
// claims by URLs, others nest them. It returns nil if neither exists.
func find(claims map[string]any, name string) any {
	if v, ok := claims[name]; ok {
		return v
	}
	first, rest, nested := strings.Cut(name, ".")
	if inner, ok := claims[first].(map[string]any); ok && nested {
		return find(inner, rest)
	}
	return nil
}

// tenant returns the one tenant that the token is for: a string, or the one string of an array.
func (c Config) tenant(claims jwt.MapClaims) (string, error) {
	claim := find(claims, c.TenantClaim)
	if claim == nil && c.Tenant != "" {
		return c.Tenant, nil
	}
	if list, ok := claim.([]any); ok && len(list) == 1 {
		claim = list[0]
	}
	tenant, _ := claim.(string)
	switch {
	case !user.IsTenantID(tenant):
		return "", fmt.Errorf("the token's claim %s does not name one tenant: correct the identity provider, or AUTH_TENANT_CLAIM", c.TenantClaim)
	case c.Tenant != "" && tenant != c.Tenant:
		return "", fmt.Errorf("the token's claim %s names a tenant for which its provider may not issue tokens: compare it with AUTH_TENANT", c.TenantClaim)
	}
	return tenant, nil
}

// roles returns our roles for the roles in the token.
func (c Config) roles(claims jwt.MapClaims) []user.Role {
	var roles []user.Role
	for _, name := range claimNames(find(claims, c.RolesClaim)) {
		if ours, ok := c.RoleNames[name]; ok {
			name = ours
		}
		if r := user.Role(name); r.Valid() && !slices.Contains(roles, r) {
			roles = append(roles, r)
		}
	}
	return roles
}

// claimNames reads a claim of names: an array of strings, one string of names between spaces (as in RFC 8693 scope), or
// an object that has a member for each, which is true or an object with members.
func claimNames(claim any) []string {
	switch c := claim.(type) {
	case string:
		return strings.Fields(c)
	case map[string]any:
		return slices.DeleteFunc(slices.Sorted(maps.Keys(c)), func(name string) bool { return !grants(c[name]) })
	case []any:
		var names []string
		for _, n := range c {
			if s, ok := n.(string); ok {
				names = append(names, s)
			}
		}
		return names
	}
	return nil
}

// grants reports whether a member of an object of roles grants its role: {"owner": false} does not.
func grants(member any) bool {
	switch m := member.(type) {
	case bool:
		return m
	case map[string]any:
		return len(m) > 0
	}
	return false
}
