// Package access lets the callers of an HTTP API in: by their tokens, as far as those were not taken back, and with the
// roles that their users have now.
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

// Access is what an API needs to know its callers.
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

// Open follows the revocations in redis until Close. Nothing else may run on redis.
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
	running.Go(func() { checker.List().Run(ctx) })
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

// Close ends the following of revocations.
func (a *Access) Close() { a.stop() }

// ignore takes the messages of tenants, of which none is followed.
type ignore struct{}

func (ignore) Published(string, message.Published) {}
func (ignore) Confirmed(string)                    {}

// Lost implements [feed.Sink].
func (ignore) Lost(string, time.Time) {}
