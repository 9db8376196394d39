// Package seed knows the demo businesses: enough users to try every role, in two tenants, so that one can be seen not
// to see the other.
package seed

import (
	"context"
	"fmt"
	"strings"

	"orderbell/internal/user"
)

// Business is a tenant with its users.
type Business struct {
	Tenant user.Tenant
	Users  []user.User
}

// Demo returns the demo businesses.
func Demo() []Business {
	return []Business{
		newBusiness(user.Tenant{ID: "demo", Name: "Demo Deli", Locale: "en", Currency: "EUR", TimeZone: "Europe/Berlin"}, "demo.example"),
		newBusiness(user.Tenant{ID: "kopi", Name: "Kopi Senja", Locale: "id", Currency: "IDR", TimeZone: "Asia/Jakarta"}, "kopi.example"),
	}
}

// Check returns a business of its own for one run of checks, so that a database in use can serve: id tells it from
// those of other runs.
func Check(id string) Business {
	return newBusiness(user.Tenant{ID: id, Name: "Check " + id, Locale: "en", Currency: "EUR", TimeZone: "UTC"}, id+".example")
}

// newBusiness gives the tenant one user of each role, owner@domain and so on.
func newBusiness(t user.Tenant, domain string) Business {
	b := Business{Tenant: t}
	for _, role := range user.Roles() {
		name := strings.ToUpper(string(role[:1])) + string(role[1:])
		b.Users = append(b.Users, user.User{
			TenantID: t.ID, Email: string(role) + "@" + domain, Name: name + " of " + t.Name, Roles: []user.Role{role},
			EmailEnabled: true, InAppEnabled: true,
		})
	}
	return b
}

// Store is where tenants and users are kept. What is there already stays as it is.
type Store interface {
	EnsureTenant(context.Context, user.Tenant) error
	EnsureUser(context.Context, user.User) (user.User, error)
}

// Apply makes sure that the businesses are stored, and returns them with their users as they are there: what somebody
// changed since the last run is kept.
func Apply(ctx context.Context, store Store, businesses []Business) ([]Business, error) {
	stored := make([]Business, len(businesses))
	for i, b := range businesses {
		if err := store.EnsureTenant(ctx, b.Tenant); err != nil {
			return nil, fmt.Errorf("seed: %w", err)
		}
		stored[i] = Business{Tenant: b.Tenant}
		for _, p := range b.Users {
			found, err := store.EnsureUser(ctx, p)
			if err != nil {
				return nil, fmt.Errorf("seed: %w", err)
			}
			stored[i].Users = append(stored[i].Users, found)
		}
	}
	return stored, nil
}
