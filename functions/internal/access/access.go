// Package access authorizes the callers of an HTTP API: it checks tokens and revocations, and uses the current roles of
// the users.
package access

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"orderbell/internal/auth"
	"orderbell/internal/feed"
	"orderbell/internal/feed/message"
	"orderbell/internal/rights"
)

// Access authorizes the callers of an API.
type Access struct {
	Verifier *auth.Verifier
	stop     func()
}

// Config says which tokens are accepted and how current the roles are.
type Config struct {
	Tokens auth.Config
	Rights rights.Config
	Share  ShareConfig
}

// Open follows the revocations in redis until Close. The caller must not call redis.Run.
func Open(ctx context.Context, cfg Config, log *slog.Logger, redis *feed.Feed, users rights.Users) (*Access, error) {
	cfg.Tokens.Log = log
	verifier, err := auth.NewVerifier(ctx, cfg.Tokens)
	if err != nil {
		return nil, err
	}
	checker, err := rights.New(cfg.Rights, redis, users, log, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	redis.FollowRevocations(checker.List())
	running.Go(func() { checker.Run(ctx) })
	running.Go(func() {
		if err := redis.Run(ctx, ignore{}); err != nil {
			log.ErrorContext(ctx, "revocations not followed", "err", err)
		}
	})
	return &Access{Verifier: verifier.With(checker).Sharing(NewShares(cfg.Share)), stop: func() {
		cancel()
		running.Wait()
	}}, nil
}

// Close stops following revocations.
func (a *Access) Close() { a.stop() }

// ignore is a sink for messages of tenants. No tenant is followed here.
type ignore struct{}

func (ignore) Published(string, message.Published) {}
func (ignore) Confirmed(string)                    {}

// Expected implements [feed.Sink].
func (ignore) Expected(string, []message.Commit) {}

// Lost implements [feed.Sink].
func (ignore) Lost(string, time.Time) {}
