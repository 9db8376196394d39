package stream

import "sync"

// Refusal is the limit that a new stream would exceed; "" without one.
type Refusal string

// The refusals. They are the reasons of overloaded frames.
const (
	InstanceFull Refusal = "instance_full"
	TenantFull   Refusal = "tenant_full"
	UserFull     Refusal = "user_full"
	Draining     Refusal = "draining"    // this instance is stopping
	Unavailable  Refusal = "unavailable" // Redis does not answer, so nothing could be streamed
)

func refusals() []Refusal {
	return []Refusal{InstanceFull, TenantFull, UserFull, Draining, Unavailable}
}

// Limits bounds the number of open streams. Tenant is the default for tenants without their own limit.
type Limits struct{ Instance, Tenant, User int }

// ledger counts open streams. A place is reserved before a stream is accepted, so concurrent streams cannot exceed a
// limit.
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

// enter reserves a place on the instance before authentication, so that a flood is refused cheaply.
func (l *ledger) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= l.limits.Instance {
		return false
	}
	l.total++
	return true
}

// leave releases the place of enter.
func (l *ledger) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
}

// empty reports whether no stream is open.
func (l *ledger) empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total == 0
}

// take reserves a place of the tenant and of the user for a stream that has entered. most is the tenant's limit.
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

// giveBack releases the places of take.
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
