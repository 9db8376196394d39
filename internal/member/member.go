// Package member knows the people of a tenant by their roles, and what a role may do.
package member

import "slices"

// Role is what a person does in a business. A person may have several.
type Role string

// The roles, from the widest to the narrowest.
const (
	Owner   Role = "owner"
	Manager Role = "manager"
	Cashier Role = "cashier"
	Kitchen Role = "kitchen"
	Viewer  Role = "viewer"
)

// Roles returns every role.
func Roles() []Role { return []Role{Owner, Manager, Cashier, Kitchen, Viewer} }

// Valid says whether r is one of [Roles].
func (r Role) Valid() bool { return slices.Contains(Roles(), r) }

// Sellers create orders, take payments, and are the people told of a paid order.
func Sellers() []Role { return []Role{Owner, Manager, Cashier} }

// Workers move an order along: sellers and the kitchen.
func Workers() []Role { return []Role{Owner, Manager, Cashier, Kitchen} }

// Leaders manage the tenant's people.
func Leaders() []Role { return []Role{Owner, Manager} }

// HasAny says whether one of held is among wanted.
func HasAny(held, wanted []Role) bool {
	return slices.ContainsFunc(held, func(r Role) bool { return slices.Contains(wanted, r) })
}

// Tenant is one business.
type Tenant struct {
	ID     string // 1 to 64 letters, digits, dots, dashes and underscores
	Name   string
	Locale string // BCP 47: the language of its e-mails
}

// Person is a user of a tenant.
type Person struct {
	ID           string // UUID
	TenantID     string
	Email        string
	Name         string
	Roles        []Role
	EmailEnabled bool // takes notifications by e-mail
	InAppEnabled bool // takes notifications in the inbox
}
