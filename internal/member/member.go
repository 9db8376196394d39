// Package member knows the people of a tenant by their roles, and what a role may do.
package member

import (
	"errors"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
)

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
	Name         string // may be empty
	Roles        []Role
	EmailEnabled bool  // takes notifications by e-mail
	InAppEnabled bool  // takes notifications in the inbox
	Version      int64 // 1 at creation, one more with each change
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// MaxName is the longest name in characters.
const MaxName = 200

// MaxEmail is the longest e-mail address in bytes (RFC 5321 §4.5.3.1.3, without the brackets).
const MaxEmail = 254

// IsEmail says whether s is one bare address, as a mail server takes it.
func IsEmail(s string) bool {
	if len(s) > MaxEmail || strings.ContainsFunc(s, unicode.IsControl) {
		return false
	}
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && a.Name == ""
}

// Change is what is to become of a person. What is nil stays as it is.
type Change struct {
	Email        *string
	Name         *string
	Roles        []Role // nil: as they are
	EmailEnabled *bool
	InAppEnabled *bool

	Version     int64 // that the change is meant for; 0: whichever it is
	SpareOwners bool  // refuse to change an owner: who asks is none
}

// Outcomes of work on a tenant's people.
var (
	ErrNotFound   = errors.New("no such person")
	ErrNoTenant   = errors.New("no such tenant")
	ErrEmailTaken = errors.New("another person of the tenant has the address")
	ErrStale      = errors.New("the person has changed")
	ErrLastOwner  = errors.New("the tenant would have no owner")
	ErrOwner      = errors.New("owners are changed by owners")
)
