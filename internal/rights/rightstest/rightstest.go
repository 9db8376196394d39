// Package rightstest has revocations in memory, for tests without Redis.
package rightstest

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"orderbell/internal/auth"
	"orderbell/internal/rights"
)

// Revocations keeps revocations, and announces them to its checker at once, as Redis does.
type Revocations struct {
	mu   sync.Mutex
	all  []auth.Revocation
	sink *rights.List

	checker *rights.Checker
}

// New returns a checker of the rights of users, and where to revoke.
func New(tb testing.TB, cfg rights.Config, users rights.Users) (*rights.Checker, *Revocations) {
	tb.Helper()
	r := &Revocations{}
	c, err := rights.New(cfg, r, users, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		tb.Fatal(err)
	}
	r.sink, r.checker = c.List(), c
	go c.Run(tb.Context())
	r.sink.RevocationsConfirmed()
	return c, r
}

// Flush writes the refusals until now to the audit trail.
func (s *Revocations) Flush() { s.checker.Flush(context.Background()) }

// Revoke keeps r and tells the checker.
func (s *Revocations) Revoke(_ context.Context, r auth.Revocation) error {
	s.mu.Lock()
	s.all = append(s.all, r)
	s.mu.Unlock()
	s.sink.Revoked(r)
	return nil
}

// Revocations implements [rights.Source].
func (s *Revocations) Revocations(context.Context) ([]auth.Revocation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]auth.Revocation(nil), s.all...), nil
}
