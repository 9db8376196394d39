package event

import "time"

// OutboxShards is the number of shards of the outbox. An order belongs to one shard, and one relay at a time sends a
// shard. The CHECK on outbox.shard has the same number.
const OutboxShards = 16

// Outgoing is a row of the outbox. It is not validated yet.
type Outgoing struct {
	Position    int64 // rises with each event of an order
	ID          string
	Source      string
	Type        Type
	TenantID    string
	OrderID     string
	Time        time.Time
	TraceParent string
	TraceState  string
	Raw         []byte // the data
}
