package stream

import "sync"

// Refusal says which limit a new stream would break. "" breaks none.
type Refusal string

// The refusals. They are the reasons of overloaded frames.
const (
	InstanceFull Refusal = "instance_full"
	TenantFull   Refusal = "tenant_full"
	UserFull     Refusal = "user_full"
	Draining     Refusal = "draining"    // this instance stops, another is there
	Unavailable  Refusal = "unavailable" // Redis does not answer, so nothing could be streamed
)

func refusals() []Refusal {
	return []Refusal{InstanceFull, TenantFull, UserFull, Draining, Unavailable}
}

// Limits bounds the streams that are open at once. Tenant holds where the operator has chosen nothing else for a tenant.
type Limits struct{ Instance, Tenant, User int }

// ledger keeps the shares taken. A share is reserved before a stream is accepted, so no race overdraws a limit.
type ledger struct {
	limits Limits

	mu      sync.Mutex
	total   int
	tenants map[string]*tenantShare
}

type tenantShare struct {
	total int
	users map[string]int
}

func newLedger(l Limits) *ledger { return &ledger{limits: l, tenants: map[string]*tenantShare{}} }

// enter reserves a place on the instance before anything is known of the client: a flood is refused for the price of a
// comparison.
func (l *ledger) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= l.limits.Instance {
		return false
	}
	l.total++
	return true
}

// leave gives back what enter took.
func (l *ledger) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
}

// empty says whether everybody has left.
func (l *ledger) empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total == 0
}

// take reserves a tenant's and a user's share for a stream that has entered. The tenant may have most streams.
func (l *ledger) take(tenantID, userID string, most int64) Refusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tenants[tenantID]
	if t == nil {
		t = &tenantShare{users: map[string]int{}}
	}
	switch {
	case int64(t.total) >= most:
		return TenantFull
	case t.users[userID] >= l.limits.User:
		return UserFull
	}
	t.total++
	t.users[userID]++
	l.tenants[tenantID] = t
	return ""
}

// giveBack returns what take took.
func (l *ledger) giveBack(tenantID, userID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tenants[tenantID]
	t.total--
	if t.users[userID]--; t.users[userID] == 0 {
		delete(t.users, userID)
	}
	if t.total == 0 {
		delete(l.tenants, tenantID)
	}
}
