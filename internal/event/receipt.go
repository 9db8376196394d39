package event

// Outcome says what became of a valid event that a function took in.
type Outcome string

// The outcomes.
const (
	Applied   Outcome = "applied"   // the first delivery: its record, notifications and due e-mails are new
	Duplicate Outcome = "duplicate" // an earlier delivery did all that, this one changed nothing
)

// Receipt is what the store knows of an event after [Applied] or [Duplicate]; both tell the same recipients.
type Receipt struct {
	Outcome    Outcome
	Recipients []Recipient // in the order of their user ids
	DueMails   int         // e-mails of the event that are still to be sent
}

// ErrPayloadConflict is an event whose source and id came before with another type, time or data. It is an
// *[InvalidError]: which of the two is true cannot be known, so the second goes to the dead letters.
var ErrPayloadConflict error = &InvalidError{Field: "id", Reason: "came before with another type, time or data"}
