package user

// Channel is a way to notify a user.
type Channel string

// The channels.
const (
	InApp Channel = "in_app"
	Email Channel = "email"
)

// Verdict is the decision for one user and channel.
type Verdict string

// The verdicts.
const (
	Notified   Verdict = "notified" // a notification was created
	Due        Verdict = "due"      // a mail was created; its state is in email_deliveries
	Deferred   Verdict = "deferred" // like Due, but not before the user's quiet hours end
	Suppressed Verdict = "suppressed"
)

// Reasons why a user is not notified, or later.
const (
	ByRole            = "role"             // the user has no role that the event is for
	ByPreference      = "preference"       // the channel is switched off
	ByEventPreference = "event preference" // the channel is on, but not for events of this type
	ByAddress         = "address"          // a mail server said that the address does not exist
	ByUnconfirmed     = "address not confirmed"
	ByQuietHours      = "quiet hours" // of [Deferred]
)

// Reasons of confirmation mails.
const (
	ByConfirmed         = "address confirmed"      // of [Suppressed]: there is nothing to confirm any more
	ByExpiredInvitation = "invitation expired"     // of [Suppressed]
	ByConfirmationLimit = "one confirmation a day" // of [Deferred]: of the address, and max_invitations of the tenant
)

// Decision is an element of event_records.decisions.
type Decision struct {
	UserID  string  `json:"user_id"`
	Channel Channel `json:"channel"`
	Outcome Verdict `json:"outcome"`
	Reason  string  `json:"reason"` // of [Suppressed] and [Deferred], else empty
}

// Audience has the roles that an event is for, subject to the users' preferences.
type Audience struct {
	Roles []Role
	// OnRequest marks opt-in events. Nothing is decided or stored for users who have not opted in.
	OnRequest bool
}
