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

// source holds revocations, and fails as often as it is told to.
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
		l := rights.NewList(s, slog.New(slog.DiscardHandler), func(r auth.Revocation) { told = append(told, r) })
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
			t.Error("a revocation that is over still covers")
		}
		if _, ok := l.Find(auth.Principal{TenantID: "demo", UserID: "u2", TokenID: "t7"}); !ok {
			t.Error("a revocation that is not over was forgotten")
		}
	})
}
