package event

import "time"

// OutboxShards is how many parts the outbox has, by order; one relay at a time has a shard in hand. The CHECK on
// outbox.shard has the same number.
const OutboxShards = 16

// Outgoing is an event of the outbox on its way to the topic. Nothing of it has been checked since it was written.
type Outgoing struct {
	Position    int64 // rises with each event of an order
	ID          string
	Source      string
	Type        Type
	TenantID    string
	OrderID     string
	Time        time.Time
	TraceParent string
	Raw         []byte // the data
}
