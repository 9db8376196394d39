package rights

import (
	"fmt"
	"slices"
	"strings"

	"orderbell/internal/auth"
	"orderbell/internal/user"
)

// anyTenant is the wildcard for the tenant of an account.
const anyTenant = "*"

// Accounts are service accounts by TENANT/SUBJECT, with their roles.
type Accounts map[string][]user.Role

// Decode reads TENANT/SUBJECT:ROLE+ROLE,…. A subject may have colons and slashes in it.
func (a *Accounts) Decode(s string) error {
	accounts := Accounts{}
	for text := range strings.SplitSeq(s, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		at := strings.LastIndexByte(text, ':')
		tenant, subject, ok := strings.Cut(text[:max(at, 0)], "/")
		if at < 0 || !ok || subject == "" || tenant != anyTenant && !user.IsTenantID(tenant) {
			return fmt.Errorf("%q is not TENANT/SUBJECT:ROLE", text)
		}
		var roles []user.Role
		for name := range strings.SplitSeq(text[at+1:], "+") {
			role := user.Role(name)
			if !role.Valid() {
				return fmt.Errorf("%q: %q is not one of the roles %v", text, name, user.Roles())
			}
			if !slices.Contains(roles, role) {
				roles = append(roles, role)
			}
		}
		accounts[tenant+"/"+auth.Subject(subject)] = roles
	}
	*a = accounts
	return nil
}

// roles returns the roles of p's account.
func (a Accounts) roles(p auth.Principal) ([]user.Role, bool) {
	roles, ok := a[p.TenantID+"/"+p.UserID]
	if !ok {
		roles, ok = a[anyTenant+"/"+p.UserID]
	}
	return roles, ok
}
