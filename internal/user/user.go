// Package user defines tenants, users, their roles, and what a role may do.
package user

import (
	"errors"
	"slices"
	"time"
)

// Role is a user's role in a business. A user may have several.
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

// Valid reports whether r is one of [Roles].
func (r Role) Valid() bool { return slices.Contains(Roles(), r) }

// Sellers create orders, take payments, and are notified of paid orders.
func Sellers() []Role { return []Role{Owner, Manager, Cashier} }

// Workers move an order along: sellers and the kitchen.
func Workers() []Role { return []Role{Owner, Manager, Cashier, Kitchen} }

// Leaders manage the tenant's users.
func Leaders() []Role { return []Role{Owner, Manager} }

// HasAny reports whether one of held is among wanted.
func HasAny(held, wanted []Role) bool {
	return slices.ContainsFunc(held, func(r Role) bool { return slices.Contains(wanted, r) })
}

// Tenant is one business.
type Tenant struct {
	ID     string // 1 to 64 letters, digits, dots, dashes and underscores
	Name   string
	Locale string // BCP 47: the language of its mails, and of its pages unless a user chooses another

	Currency string // ISO 4217: of orders that name none
	TimeZone string // IANA: defines when its day begins
	Version  int64  // of the settings: 1 at creation, one more with each change
}

// TenantChange is a change of a tenant's settings. A nil field does not change.
type TenantChange struct {
	Locale   *string
	Currency *string
	TimeZone *string

	Version int64 // expected version; 0: any
	By      Act   // the caller
}

// UsualCurrency is the default currency of a tenant.
const UsualCurrency = "EUR"

// User is a user of a tenant.
type User struct {
	ID           string // UUID
	TenantID     string
	Email        string
	Name         string // may be empty
	Roles        []Role
	EmailEnabled bool     // gets notifications by e-mail
	InAppEnabled bool     // gets notifications in the inbox
	EmailEvents  []string // the types of event (package event's), while EmailEnabled
	InAppEvents  []string // of which types, while InAppEnabled
	TimeZone     string   // IANA
	QuietHours   string   // 22:00-07:00 by that zone's clock: mails wait until they end; "" for none
	Version      int64    // 1 at creation, one more with each change
	CreatedAt    time.Time
	UpdatedAt    time.Time

	ConfirmedAt       time.Time // when the address was confirmed, zero: it is not
	InvitationExpires time.Time // when the link that confirms the address ends; zero: no link
}

// Change is a change of a user. A nil field does not change.
type Change struct {
	Email        *string
	Name         *string
	Roles        []Role // nil: as they are
	EmailEnabled *bool
	InAppEnabled *bool
	EmailEvents  []string // nil: as they are
	InAppEvents  []string // nil: as they are
	TimeZone     *string
	QuietHours   *string

	Version     int64 // expected version; 0: any
	SpareOwners bool  // refuse to change an owner: the caller is not an owner
	By          Act   // the caller
}

// Outcomes of work on a tenant's users.
var (
	ErrNotFound   = errors.New("no such user")
	ErrNoTenant   = errors.New("no such tenant")
	ErrEmailTaken = errors.New("another user of the tenant has this e-mail address")
	ErrStale      = errors.New("the user has changed since it was read")
	ErrLastOwner  = errors.New("the tenant would have no owner")
	ErrOwner      = errors.New("owners are changed by owners")
)
