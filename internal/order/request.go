package order

import (
	"errors"
	"time"
)

// Request has the caller's data of a request to create or change an order.
type Request struct {
	TenantID    string
	ActorID     string   // the user who makes the request, "" if unknown
	Key         string   // the client's Idempotency-Key, "" if it sent none
	Fingerprint [32]byte // SHA-256 of the request, compared if Key was used before
	TraceParent string   // W3C trace context for the event, may be empty
	TraceState  string   // its tracestate, may be empty
}

// Answer is the result of a [Request].
type Answer struct {
	Order    Order // the order after this change, even if it has changed again since
	Repeated bool  // the Key was used before: this request changed nothing

	// EventID is the id of the change's event; "" if this request changed nothing.
	EventID string
	// Event is the data of that event, a JSON object.
	Event []byte

	// DuplicateOf is, for a new order, the id of another order of the tenant with the same reference that is open or
	// was created in the last [DuplicateWithin]; "" without one.
	DuplicateOf string
}

// DuplicateWithin is the time in which the same reference suggests a duplicate. A business may restart with A-1 every
// morning.
const DuplicateWithin = 12 * time.Hour

// Position is a position in a tenant's orders, newest first: right after this order. The zero Position is the start.
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
