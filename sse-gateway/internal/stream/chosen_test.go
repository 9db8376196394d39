package stream_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"orderbell/internal/user"
	"orderbell/sse-gateway/internal/stream"
)

// operator has chosen max_streams for every tenant, and answers slowly.
type operator struct {
	most  atomic.Int64
	asked atomic.Int64
	away  atomic.Bool
	hangs atomic.Bool
}

func (o *operator) Limits(ctx context.Context, _ string) (user.Limits, error) {
	o.asked.Add(1)
	if o.hangs.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	time.Sleep(100 * time.Millisecond) // synctest's
	if o.away.Load() {
		return nil, errors.New("no answer")
	}
	return user.Limits{user.MaxStreams: o.most.Load()}, nil
}

func TestChosenLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := &operator{}
		o.most.Store(7)
		limits := stream.Chosen(o)
		is := func(what string, tenant string, want, asked int64) {
			t.Helper()
			before := o.asked.Load()
			if got := limits(t.Context(), tenant).Of(user.MaxStreams, 100); got != want {
				t.Errorf("%s: max_streams is %d, want %d", what, got, want)
			}
			if got := o.asked.Load() - before; got != asked {
				t.Errorf("%s: the database was asked %d times, want %d", what, got, asked)
			}
		}
		var rush sync.WaitGroup
		for range 50 {
			rush.Go(func() { limits(t.Context(), "demo") })
		}
		rush.Wait()
		if got := o.asked.Load(); got != 1 {
			t.Errorf("50 streams at once asked the database %d times, want once", got)
		}
		o.most.Store(8)
		is("what was read lately", "demo", 7, 0)
		is("another tenant", "other", 8, 1)
		time.Sleep(5 * time.Second)
		is("a change, after five seconds", "demo", 8, 1)
		o.away.Store(true)
		time.Sleep(5 * time.Second)
		is("without the database", "demo", 8, 1)
		is("without the database, once more", "demo", 8, 0)
		is("without the database, a tenant of which nothing is known", "third", 100, 1)
		o.hangs.Store(true)
		time.Sleep(5 * time.Second)
		began := time.Now()
		is("a database that does not answer", "demo", 8, 1)
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("a stream waited %s for its limits, want 2s", took)
		}
	})
}
