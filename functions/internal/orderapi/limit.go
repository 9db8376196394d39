package orderapi

import (
	"context"
	"maps"
	"math"
	"sync"
	"time"

	"orderbell/internal/order"
	"orderbell/internal/user"
)

// Limits reads the limits that the operator has set for a tenant.
type Limits interface {
	Limits(ctx context.Context, tenantID string) (user.Limits, error)
}

const (
	// limitsFor is how long a tenant's limit is cached.
	limitsFor = 30 * time.Second
	// maxBuckets bounds the memory to some 20 MB. Tenants that have been quiet for limitsFor are forgotten first.
	maxBuckets = 100_000
)

// RateError is a rejected order beyond the tenant's limit per second.
type RateError struct {
	user.LimitError

	After time.Duration // when the next order is accepted
}

// limited is a store that bounds each tenant's orders per second. Each instance counts by itself, so with n instances a
// tenant gets n times the limit. The limit protects an instance's database connections, and costs no round trip.
type limited struct {
	Store

	limits Limits
	usual  int64
	now    func() time.Time

	mu      sync.Mutex
	buckets map[string]*bucket
	swept   time.Time // when the quiet tenants were forgotten
}

// bucket is a token bucket of a tenant's orders: one second's worth, refilled at the rate of the limit.
type bucket struct {
	rate   float64
	left   float64
	filled time.Time
	read   time.Time // when the limit was read
}

// Limited returns store with the limit orders_per_second for each tenant.
func Limited(store Store, limits Limits, usual user.DefaultLimits) Store {
	return &limited{Store: store, limits: limits, usual: usual.OrdersPerSecond, now: time.Now, buckets: map[string]*bucket{}}
}

// Create implements [Store].
func (l *limited) Create(ctx context.Context, o order.Order, r order.Request) (order.Answer, error) {
	if err := l.take(ctx, r.TenantID); err != nil {
		return order.Answer{}, err
	}
	return l.Store.Create(ctx, o, r)
}

// Change implements [Store].
func (l *limited) Change(ctx context.Context, id string, next order.Status, r order.Request) (order.Answer, error) {
	if err := l.take(ctx, r.TenantID); err != nil {
		return order.Answer{}, err
	}
	return l.Store.Change(ctx, id, next, r)
}

// Undo implements [Store].
func (l *limited) Undo(ctx context.Context, id string, version int64, states []order.Status, r order.Request) (order.Answer, error) {
	if err := l.take(ctx, r.TenantID); err != nil {
		return order.Answer{}, err
	}
	return l.Store.Undo(ctx, id, version, states, r)
}

func (l *limited) take(ctx context.Context, tenantID string) error {
	now := l.now()
	l.mu.Lock()
	b := l.buckets[tenantID]
	known := b != nil && now.Sub(b.read) < limitsFor
	l.mu.Unlock()
	if !known {
		chosen, err := l.limits.Limits(ctx, tenantID)
		if err != nil {
			return err
		}
		b = l.learn(tenantID, float64(chosen.Of(user.OrdersPerSecond, l.usual)), now)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now = l.now() // others may have taken an order while this one waited for its limit
	b.left = min(b.rate, b.left+now.Sub(b.filled).Seconds()*b.rate)
	b.filled = now
	if b.left < 1 {
		after := time.Duration(math.Ceil((1-b.left)/b.rate)) * time.Second // Retry-After is in whole seconds
		return &RateError{user.LimitError{Limit: user.OrdersPerSecond, Max: int64(b.rate)}, after}
	}
	b.left--
	return nil
}

// learn caches the tenant's limit, and keeps what is left in its bucket.
func (l *limited) learn(tenantID string, rate float64, now time.Time) *bucket {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[tenantID]
	if b == nil {
		l.makeRoom(now)
		b = &bucket{left: rate, filled: now}
		l.buckets[tenantID] = b
	}
	b.rate, b.read = rate, now
	return b
}

// makeRoom removes tenants if there are too many. The caller holds the lock.
func (l *limited) makeRoom(now time.Time) {
	if len(l.buckets) < maxBuckets {
		return
	}
	if now.Sub(l.swept) >= limitsFor { // it visits all tenants
		l.swept = now
		maps.DeleteFunc(l.buckets, func(_ string, b *bucket) bool { return now.Sub(b.filled) >= limitsFor })
	}
	for tenantID := range l.buckets {
		if len(l.buckets) < maxBuckets {
			return
		}
		delete(l.buckets, tenantID) // the cost is one extra burst
	}
}
