package user

import (
	"errors"
	"time"
)

// ErrUsed is an unsubscribe link that has been used.
var ErrUsed = errors.New("the unsubscribe link was already used")

// OptOut is a link in a mail with which a user can switch e-mail off, once.
type OptOut struct {
	MailID, TenantID, UserID string
	Expires                  time.Time
}

// Subscription is a user's e-mail notifications from a tenant.
type Subscription struct {
	Email      string
	TenantName string
	Locale     string // BCP 47, the tenant's
	Enabled    bool
}
