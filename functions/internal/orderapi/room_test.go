package orderapi

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"orderbell/internal/order"
	"orderbell/internal/user"
)

type counted struct{ reads int }

func (c *counted) Limits(context.Context, string) (user.Limits, error) {
	c.reads++
	return user.Limits{}, nil
}

type taker struct{ Store }

func (taker) Create(context.Context, order.Order, order.Request) (order.Answer, error) {
	return order.Answer{}, nil
}

// TestManyTenantsKeepTheirLimits uses more tenants than the cache has room for: a few are removed, not all.
func TestManyTenantsKeepTheirLimits(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var limits counted
	l := &limited{Store: taker{}, limits: &limits, usual: 5, now: func() time.Time { return now }, buckets: map[string]*bucket{}}
	create := func(n int) {
		t.Helper()
		if _, err := l.Create(t.Context(), order.Order{}, order.Request{TenantID: strconv.Itoa(n)}); err != nil {
			t.Fatal(err)
		}
	}
	const tenants = maxBuckets + 100
	for n := range tenants {
		create(n)
	}
	limits.reads = 0
	for n := range tenants {
		create(n)
	}
	if limits.reads < 100 || limits.reads > 1000 {
		t.Errorf("the limits of %d tenants were read again, want those few that were forgotten", limits.reads)
	}
	if len(l.buckets) > maxBuckets {
		t.Errorf("%d tenants are cached, want at most %d", len(l.buckets), maxBuckets)
	}
	now = now.Add(2 * limitsFor)
	create(0)
	create(tenants)
	create(tenants + 1)
	if len(l.buckets) > maxBuckets/2 {
		t.Errorf("%d tenants are cached, want only those that were not quiet", len(l.buckets))
	}
}

// slow is a database whose answers to reads of limits the test releases one by one.
type slow struct{ answer chan struct{} }

func (s slow) Limits(context.Context, string) (user.Limits, error) {
	<-s.answer
	return user.Limits{}, nil
}

// TestASlowReadOfTheLimitCostsNoOrder has an order that began earlier, and waited for its limit, after one that did not wait.
func TestASlowReadOfTheLimitCostsNoOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		database := slow{make(chan struct{})}
		l := Limited(taker{}, database, user.DefaultLimits{OrdersPerSecond: 5})
		errs := make(chan error, 2)
		create := func() { _, err := l.Create(t.Context(), order.Order{}, order.Request{TenantID: "demo"}); errs <- err }
		go create()
		synctest.Wait()
		<-time.After(2 * time.Second)
		go create()
		synctest.Wait()
		for range 2 {
			database.answer <- struct{}{}
		}
		for range 2 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
}
