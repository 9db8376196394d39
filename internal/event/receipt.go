package event

// Outcome is the result of applying a valid event.
type Outcome string

// The outcomes.
const (
	Applied   Outcome = "applied"   // the first delivery: its record, notifications and due mails are new
	Duplicate Outcome = "duplicate" // an earlier delivery was applied; this one changed nothing
)

// Receipt is the store's result for an event. It has the same recipients for [Applied] and [Duplicate].
type Receipt struct {
	Outcome    Outcome
	Recipients []Recipient // ordered by user id
	DueMails   int         // mails of the event that are still due
}

// ErrPayloadConflict is an event whose source and id were used before with another type, time or data. It is an
// *[InvalidError]: the correct one is not known, so the second becomes a dead letter.
var ErrPayloadConflict error = &InvalidError{Field: "id", Reason: "was used before with another type, time or data: give each event an id of its own"}
