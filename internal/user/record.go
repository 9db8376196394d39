package user

import "time"

// Outcome says whether the action of a [Record] was done.
type Outcome string

// The outcomes.
const (
	Done    Outcome = "done"
	Refused Outcome = "refused"
)

// NoTenant is the tenant of requests without a verified token. No tenant has this id.
const NoTenant = "-"

// Act is the author of a change and their address, for the audit trail.
type Act struct{ Actor, Address string }

// Record is an entry of the audit trail: who did what, from where, and with what outcome.
type Record struct {
	TenantID string
	At       time.Time
	Actor    string // user:<id>, service:<name>, operator:<name>, or "" for unknown
	Action   string // such as user.removed
	Target   string // such as user:<id>
	Address  string // the client's address, if known
	Outcome  Outcome
	Detail   string // what was changed, or why it was refused
	Times    int64  // count of equal refusals within a short time
}
