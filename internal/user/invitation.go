package user

import (
	"errors"
	"fmt"
	"time"
)

// EmailState says whether an address may get mails of orders.
type EmailState string

// The states of an address.
const (
	EmailConfirmed EmailState = "confirmed" // its user has opened the link, or the identity provider or the operator vouches for it
	EmailInvited   EmailState = "invited"   // the link was sent, and is still good
	EmailExpired   EmailState = "expired"   // the link is too old: another one must be sent
)

// EmailState returns the state of the user's address at the time now.
func (u User) EmailState(now time.Time) EmailState {
	switch {
	case !u.ConfirmedAt.IsZero():
		return EmailConfirmed
	case now.Before(u.InvitationExpires):
		return EmailInvited
	}
	return EmailExpired
}

// ConfirmationEvery is how often an address gets a mail that asks for its confirmation, at most.
const ConfirmationEvery = 24 * time.Hour

// AddressConfirmation is the type of the mail that asks for a confirmation: in email_deliveries, where types of events are.
const AddressConfirmation = "address_confirmation"

// InvitationTerms are those of users whose address is not confirmed.
type InvitationTerms struct {
	Limits     DefaultLimits
	Life       time.Duration // of the link that confirms an address
	MailDomain string        // what the Message-IDs of confirmation mails end in
}

// Confirmation is a link that confirms an address.
type Confirmation struct {
	TenantID, UserID string
	// IsAddress says whether the link was made for the address.
	IsAddress func(email string) bool
}

// Invitation is what a link that confirms an address is about.
type Invitation struct {
	Email      string
	TenantName string
	Locale     string // BCP 47, the tenant's
	Confirmed  bool
}

// ErrConfirmed is an address that needs no confirmation.
var ErrConfirmed = errors.New("the address is confirmed already")

// TooSoonError refuses a confirmation mail, since the address had one lately.
type TooSoonError struct{ After time.Duration }

func (e *TooSoonError) Error() string {
	return fmt.Sprintf("a confirmation mail was sent lately: another one can be sent in %s", e.After.Round(time.Second))
}
