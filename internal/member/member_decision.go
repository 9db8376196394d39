package member

// Channel is a way in which a person is told something.
type Channel string

// The channels.
const (
	InApp Channel = "in_app"
	Email Channel = "email"
)

// Verdict is what was decided for one person and channel.
type Verdict string

// The verdicts.
const (
	Notified   Verdict = "notified" // there is a notification
	Due        Verdict = "due"      // an e-mail was made; what became of it is the delivery's own story
	Suppressed Verdict = "suppressed"
)

// Reasons why a person is not told.
const (
	ByRole       = "role"
	ByPreference = "preference"
)

// Decision is an element of event_records.decisions.
type Decision struct {
	UserID  string  `json:"user_id"`
	Channel Channel `json:"channel"`
	Outcome Verdict `json:"outcome"`
	Reason  string  `json:"reason"` // of [Suppressed], else empty
}
