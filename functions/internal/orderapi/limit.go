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

// Limits knows what the operator has chosen for a tenant.
type Limits interface {
	Limits(ctx context.Context, tenantID string) (user.Limits, error)
}

const (
	// limitsFor is how long a tenant's limit is remembered.
	limitsFor = 30 * time.Second
	// maxBuckets bounds the memory to some 20 MB. Tenants that have been quiet for limitsFor are forgotten first.
	maxBuckets = 100_000
)

// RateError refuses more orders of a tenant than its limit of a second.
type RateError struct {
	user.LimitError

	After time.Duration // when there is room again
}

// limited is a store that takes so many orders of a tenant in a second at most. Each instance counts its own: with n
// instances a tenant gets n times the limit. That is what the bound is for, one tenant's share of an instance's database
// connections, and it costs no round trip.
type limited struct {
	Store

	limits Limits
	usual  int64
	now    func() time.Time

	mu      sync.Mutex
	buckets map[string]*bucket
	swept   time.Time // when the quiet tenants were forgotten
}

// bucket holds the orders that a tenant may still make now: one second's, refilled at the limit's rate.
type bucket struct {
	rate   float64
	left   float64
	filled time.Time
	read   time.Time // when the limit was
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

// Undo is [Store]'s, within the limit.
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
	b.left = min(b.rate, b.left+now.Sub(b.filled).Seconds()*b.rate)
	b.filled = now
	if b.left < 1 {
		after := time.Duration(math.Ceil((1-b.left)/b.rate)) * time.Second // Retry-After is in whole seconds
		return &RateError{user.LimitError{Limit: user.OrdersPerSecond, Max: int64(b.rate)}, after}
	}
	b.left--
	return nil
}

// learn remembers the tenant's limit, and what is left of it.
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

// makeRoom forgets tenants if there are too many. The caller holds the lock.
func (l *limited) makeRoom(now time.Time) {
	if len(l.buckets) < maxBuckets {
		return
	}
	if now.Sub(l.swept) >= limitsFor { // it goes through all of them
		l.swept = now
		maps.DeleteFunc(l.buckets, func(_ string, b *bucket) bool { return now.Sub(b.filled) >= limitsFor })
	}
	for tenantID := range l.buckets {
		if len(l.buckets) < maxBuckets {
			return
		}
		delete(l.buckets, tenantID) // gives it one burst more
	}
}
