package order

import (
	"errors"
	"time"
)

// Request says who wants an order made or changed, apart from the order itself.
type Request struct {
	TenantID    string
	ActorID     string   // the user who makes the request, "" if unknown
	Key         string   // the client's Idempotency-Key, "" if it sent none
	Fingerprint [32]byte // SHA-256 of what was asked, compared where Key was seen before
	TraceParent string   // W3C trace context for the event, may be empty
}

// Answer is what became of a [Request].
type Answer struct {
	Order    Order // as it was after the change, even if it has changed again since
	Repeated bool  // the Key was seen before: nothing was done now

	// DuplicateOf is, of a new order, another of the tenant's with the same reference that is open or was made in the last
	// [DuplicateWithin]; "" if there was none.
	DuplicateOf string
}

// DuplicateWithin is how long a reference is expected not to return: shops that begin with A-1 each morning use it daily.
const DuplicateWithin = 12 * time.Hour

// Position is a place in a tenant's orders from the newest to the oldest: right after this order. The zero Position is the
// start.
type Position struct {
	CreatedAt time.Time
	ID        string
}

// Position returns the place after o.
func (o Order) Position() Position { return Position{CreatedAt: o.CreatedAt, ID: o.ID} }

// Outcomes of a [Request] beside a [TransitionError].
var (
	ErrNotFound  = errors.New("the tenant has no such order")
	ErrNoTenant  = errors.New("there is no such tenant")
	ErrKeyReused = errors.New("the Idempotency-Key was used for another request")
)
