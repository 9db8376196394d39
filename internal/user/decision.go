package user

// Channel is a way in which a user is told something.
type Channel string

// The channels.
const (
	InApp Channel = "in_app"
	Email Channel = "email"
)

// Verdict is what was decided for one user and channel.
type Verdict string

// The verdicts.
const (
	Notified   Verdict = "notified" // there is a notification
	Due        Verdict = "due"      // an e-mail was made; what became of it is the delivery's own story
	Deferred   Verdict = "deferred" // as Due, but not before the user's quiet hours end
	Suppressed Verdict = "suppressed"
)

// Reasons why a user is not told, or later.
const (
	ByRole            = "role"             // none of the roles that the event is for
	ByPreference      = "preference"       // the channel is switched off
	ByEventPreference = "event preference" // the channel is on, but not for events of this type
	ByAddress         = "address"          // a mail server said that the address does not exist
	ByUnconfirmed     = "address not confirmed"
	ByQuietHours      = "quiet hours" // of [Deferred]
)

// Reasons of mails that ask for a confirmation.
const (
	ByConfirmed         = "address confirmed"      // of [Suppressed]: there is nothing to ask for any more
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

// Audience says which users an event is for, as far as their preferences allow.
type Audience struct {
	Roles []Role
	// OnRequest marks opt-in events. Nothing is decided or stored for users who have not opted in.
	OnRequest bool
}
