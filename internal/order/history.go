package order

import (
	"slices"
	"time"
)

// Change is one change of an order, with the users who were notified.
type Change struct {
	Version   int64
	Status    Status
	Undone    Status // the state that was undone; "" for a step forward
	EventID   string
	ActorID   string // the user who made it; "" if unknown
	ActorName string // at the time of the change; may be empty
	At        time.Time
	Decided   bool // whether a function has decided the recipients of the event
	Told      []Told
}

// Told is the decision for one user and channel, and its result.
type Told struct {
	UserID  string
	Name    string // the current one; "" for a removed user
	Channel string // in_app or email
	Outcome Outcome
	Reason  string    // why it is not sent, or later; otherwise empty
	At      time.Time // when a mail was sent; zero: it was not
}

// Outcome is the result of a decision.
type Outcome string

// The outcomes.
const (
	Notified   Outcome = "notified"   // there is a notification in the inbox
	Due        Outcome = "due"        // a mail will be sent
	Deferred   Outcome = "deferred"   // a mail will be sent after the user's quiet hours
	Sent       Outcome = "sent"       // the mail server has the mail
	Failed     Outcome = "failed"     // the mail server refused the mail for good
	Suppressed Outcome = "suppressed" // nothing is sent
	Forgotten  Outcome = "forgotten"  // a mail was due; its row has been removed since
)

// Outcomes returns every outcome.
func Outcomes() []Outcome {
	return []Outcome{Notified, Due, Deferred, Sent, Failed, Suppressed, Forgotten}
}

// Valid reports whether o is one of [Outcomes].
func (o Outcome) Valid() bool {
	return slices.Contains(Outcomes(), o)
}

// MostChanges bounds a history, because an order can be changed and undone without limit.
const MostChanges = 100
