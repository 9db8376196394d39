package order

import (
	"slices"
	"time"
)

// Change is one change of an order, and who was told of it.
type Change struct {
	Version   int64
	Status    Status
	Undone    Status // the state that was taken back; "" for a step forward
	EventID   string
	ActorID   string // the user who made it; "" where it is not known
	ActorName string // as it was then; may be empty
	At        time.Time
	Decided   bool // whether a function has decided who is told of the event
	Told      []Told
}

// Told is what was decided for one user and channel, and what became of it.
type Told struct {
	UserID  string
	Name    string // as it is now; "" for a user who was removed
	Channel string // in_app or email
	Outcome Outcome
	Reason  string    // of what is not sent, or later; else empty
	At      time.Time // when a mail was sent; zero: it was not
}

// Outcome is what became of a decision to tell a user.
type Outcome string

// The outcomes.
const (
	Notified   Outcome = "notified"   // there is a notification in the inbox
	Due        Outcome = "due"        // a mail will be sent
	Deferred   Outcome = "deferred"   // a mail will be sent after the user's quiet hours
	Sent       Outcome = "sent"       // the mail server has the mail
	Failed     Outcome = "failed"     // the mail server refused the mail for good
	Suppressed Outcome = "suppressed" // nothing is sent
	Forgotten  Outcome = "forgotten"  // a mail was due once; its record has been removed since
)

// Outcomes returns every outcome.
func Outcomes() []Outcome {
	return []Outcome{Notified, Due, Deferred, Sent, Failed, Suppressed, Forgotten}
}

// Valid says whether o is one of [Outcomes].
func (o Outcome) Valid() bool {
	return slices.Contains(Outcomes(), o)
}

// MostChanges bounds a history: an order that is changed and undone without end has no answer without end.
const MostChanges = 100
