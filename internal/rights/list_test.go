package rights_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/auth"
	"orderbell/internal/rights"
)

// source holds revocations, and fails a given number of times.
type source struct {
	mu    sync.Mutex
	all   []auth.Revocation
	fails int
}

func (s *source) Revocations(context.Context) ([]auth.Revocation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails > 0 {
		s.fails--
		return nil, errors.New("no answer")
	}
	return s.all, nil
}

func known(t *testing.T, l *rights.List) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	return l.Await(ctx) == nil
}

func TestList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		r := auth.Revocation{TenantID: "demo", UserID: "u1", At: now, Until: now.Add(90 * time.Second)}
		other := auth.Revocation{TenantID: "demo", TokenID: "t7", At: now, Until: now.Add(time.Hour)}
		s := &source{all: []auth.Revocation{r}, fails: 2}
		var told []auth.Revocation
		l := rights.NewList([]rights.Source{s}, slog.New(slog.DiscardHandler), func(r auth.Revocation) { told = append(told, r) })
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go l.Run(ctx)
		synctest.Wait()
		if known(t, l) {
			t.Error("the list is complete before the source was read")
		}
		l.RevocationsConfirmed()
		time.Sleep(time.Second)
		synctest.Wait()
		if !known(t, l) {
			t.Error("the list is not complete although the source was read")
		}
		l.Revoked(other)
		l.Revoked(other)
		if diff := cmp.Diff([]auth.Revocation{r, other}, told); diff != "" {
			t.Error(diff)
		}
		old := auth.Principal{TenantID: "demo", UserID: "u1", Issued: now.Add(-time.Second)}
		if got, ok := l.Find(old); !ok || got != r {
			t.Errorf("found %+v, %t, want %+v", got, ok, r)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if _, ok := l.Find(old); ok {
			t.Error("an expired revocation still covers")
		}
		if _, ok := l.Find(auth.Principal{TenantID: "demo", UserID: "u2", TokenID: "t7"}); !ok {
			t.Error("a revocation that has not expired was removed")
		}
	})
}

// TestARedisThatForgets has two sources, one of which becomes empty. The program keeps what it knew, and a program that starts
// afterwards reads it from the other source.
func TestARedisThatForgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		r := auth.Revocation{TenantID: "demo", UserID: "u1", At: now, Until: now.Add(time.Hour)}
		redis, rows := &source{all: []auth.Revocation{r}}, &source{all: []auth.Revocation{r}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		start := func() *rights.List {
			l := rights.NewList([]rights.Source{redis, rows}, slog.New(slog.DiscardHandler), func(auth.Revocation) {})
			go l.Run(ctx)
			l.RevocationsConfirmed()
			synctest.Wait()
			return l
		}
		old := auth.Principal{TenantID: "demo", UserID: "u1", Issued: now.Add(-time.Second)}
		before := start()
		redis.mu.Lock()
		redis.all = nil
		redis.mu.Unlock()
		before.RevocationsConfirmed()
		time.Sleep(2 * time.Minute)
		if _, ok := before.Find(old); !ok {
			t.Error("a program that runs forgets what Redis has lost")
		}
		if _, ok := start().Find(old); !ok {
			t.Error("a program that starts does not know what Redis has lost")
		}
		rows.mu.Lock()
		rows.fails = 1 << 30
		rows.mu.Unlock()
		if known(t, start()) {
			t.Error("the list is complete although one source was not read")
		}
	})
}
