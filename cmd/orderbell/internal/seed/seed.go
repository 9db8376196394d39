// Package seed defines the demo businesses: two tenants, with a user for each role.
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

// Check returns the business of one run of checks. Its id is unique to the run, so the database may be in use.
func Check(id string) Business {
	return newBusiness(user.Tenant{ID: id, Name: "Check " + id, Locale: "en", Currency: "EUR", TimeZone: "UTC"}, id+".example")
}

// Load returns the businesses load-1 to load-n for a load. Their users get no mail: nothing may be sent to made-up addresses.
func Load(n int) []Business {
	businesses := make([]Business, n)
	for i := range businesses {
		id := fmt.Sprintf("load-%d", i+1)
		businesses[i] = newBusiness(user.Tenant{ID: id, Name: id, Locale: "en", Currency: "EUR", TimeZone: "UTC"}, id+".example")
		for j := range businesses[i].Users {
			businesses[i].Users[j].EmailEnabled = false
		}
	}
	return businesses
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

// Store keeps tenants and users. Existing ones do not change.
type Store interface {
	EnsureTenant(context.Context, user.Tenant) error
	EnsureUser(context.Context, user.User) (user.User, error)
}

// Apply stores missing businesses and users, and returns all of them as stored. Changes since the last run are kept.
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
