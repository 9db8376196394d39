package user

import (
	"errors"
	"time"
)

// ErrUsed is an unsubscribe link that has been used.
var ErrUsed = errors.New("the unsubscribe link was already used")

// OptOut is a link in a mail by which a user may switch e-mail off, once.
type OptOut struct {
	MailID, TenantID, UserID string
	Expires                  time.Time
}

// Subscription is the e-mail notifications that a tenant has for a user.
type Subscription struct {
	Email      string
	TenantName string
	Locale     string // BCP 47, the tenant's
	Enabled    bool
}
