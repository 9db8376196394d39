package access_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"orderbell/functions/internal/access"
	"orderbell/internal/problem"
)

func TestATenantTakesItsShareOfAnInstance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const atOnce, waiting, more = 2, 32, 100
		shares := access.NewShares(access.ShareConfig{AtOnce: atOnce})
		var running, most, refused atomic.Int32
		free := make(chan struct{})
		var all sync.WaitGroup
		for range atOnce + waiting + more {
			all.Go(func() {
				leave, err := shares.Enter(t.Context(), "noisy")
				var limited *problem.Problem
				switch {
				case errors.As(err, &limited) && limited.Status == http.StatusTooManyRequests && limited.Limit == "requests_at_once":
					refused.Add(1)
					return
				case err != nil:
					t.Error(err)
					return
				}
				defer leave()
				if n := running.Add(1); n > most.Load() {
					most.Store(n)
				}
				<-free
				running.Add(-1)
			})
		}
		synctest.Wait()
		if running.Load() != atOnce || refused.Load() != more {
			t.Errorf("%d run and %d are refused at once, want %d and %d", running.Load(), refused.Load(), atOnce, more)
		}
		leave, err := shares.Enter(t.Context(), "quiet")
		if err != nil {
			t.Fatalf("another tenant waits for the noisy one: %v", err)
		}
		leave()
		free <- struct{}{}
		synctest.Wait()
		if running.Load() != atOnce || refused.Load() != more {
			t.Errorf("the turn of one that waits did not come: %d run, %d are refused", running.Load(), refused.Load())
		}
		time.Sleep(time.Second) // of the synctest clock: no request waits longer
		synctest.Wait()
		if want := int32(more + waiting - 1); refused.Load() != want {
			t.Errorf("%d are refused after a second, want %d", refused.Load(), want)
		}
		close(free)
		all.Wait()
		if most.Load() != atOnce {
			t.Errorf("%d ran at once, want %d", most.Load(), atOnce)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 3 * waiting { // a client that has gone leaves nothing behind
			if leave, err := shares.Enter(ctx, "noisy"); err == nil {
				leave()
			}
		}
		if leave, err := shares.Enter(t.Context(), "noisy"); err != nil {
			t.Errorf("after all of it: %v", err)
		} else {
			leave()
		}
	})
}
