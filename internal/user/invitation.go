package user

import (
	"errors"
	"fmt"
	"time"
)

// EmailState says whether an address may get mails about orders.
type EmailState string

// The states of an address.
const (
	EmailConfirmed EmailState = "confirmed" // confirmed by the link, by the identity provider or by the operator
	EmailInvited   EmailState = "invited"   // the link was sent and is still valid
	EmailExpired   EmailState = "expired"   // the link has expired: another one must be sent
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

// ConfirmationEvery is the shortest interval of confirmation mails to an address.
const ConfirmationEvery = 24 * time.Hour

// AddressConfirmation is the type of confirmation mails in email_deliveries, in the place of an event type.
const AddressConfirmation = "address_confirmation"

// InvitationTerms are the terms for users whose address is not confirmed.
type InvitationTerms struct {
	Limits     DefaultLimits
	Life       time.Duration // of the link that confirms an address
	MailDomain string        // domain of the Message-IDs of confirmation mails
}

// Confirmation is a link that confirms an address.
type Confirmation struct {
	TenantID, UserID string
	// IsAddress reports whether the link was made for the address.
	IsAddress func(email string) bool
}

// Invitation is the subject of a confirmation link.
type Invitation struct {
	Email      string
	TenantName string
	Locale     string // BCP 47, the tenant's
	Confirmed  bool
}

// ErrConfirmed is an address that needs no confirmation.
var ErrConfirmed = errors.New("the address is already confirmed")

// TooSoonError is a refused confirmation mail, because the address had one recently.
type TooSoonError struct{ After time.Duration }

func (e *TooSoonError) Error() string {
	return fmt.Sprintf("a confirmation mail was sent recently: send the next one in %s", e.After.Round(time.Second))
}
