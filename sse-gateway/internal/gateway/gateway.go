// Package gateway connects the gateway's parts: the feed, the tenants' logs, the pool of connections and the HTTP
// handler.
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"go.opentelemetry.io/otel/metric"

	"orderbell/internal/auth"
	"orderbell/internal/feed"
	"orderbell/internal/rights"
	"orderbell/sse-gateway/internal/fanout"
	"orderbell/sse-gateway/internal/stream"
	"orderbell/sse-gateway/internal/tenantlog"
	"orderbell/sse-gateway/internal/visible"
)

// Config configures the gateway.
type Config struct {
	Auth   auth.Config
	Rights rights.Config
	Feed   feed.Config
	Logs   tenantlog.Config
	Fanout fanout.Config
	Stream stream.Config
}

// Gateway is a running gateway.
type Gateway struct {
	http.Handler
	feed    *feed.Feed
	streams *stream.Handler
	running sync.WaitGroup
	cancel  context.CancelFunc
}

// Start returns a gateway that follows Redis and reads users' roles and tenants' limits from db. If db is nil, the roles
// of the tokens and the limits of the configuration apply. The gateway runs until Close, also after ctx ends, so that it can drain.
func Start(ctx context.Context, cfg Config, db Database, log *slog.Logger, meter metric.Meter) (*Gateway, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	g := &Gateway{cancel: cancel}
	cfg.Auth.Log = log
	verifier, err := auth.NewVerifier(ctx, cfg.Auth)
	if err != nil {
		cancel()
		return nil, err
	}
	if g.feed, err = feed.Open(cfg.Feed); err != nil {
		cancel()
		return nil, err
	}
	logs, err := tenantlog.New(cfg.Logs, g.feed, log)
	var checker *rights.Checker
	if err == nil {
		logs.Visible, err = visible.New(ctx, meter)
	}
	if err == nil {
		checker, err = rights.New(cfg.Rights, g.feed, db, log, func(r auth.Revocation) { g.streams.Revoke(r) })
	}
	if err == nil {
		g.streams, err = stream.New(cfg.Stream, cfg.Fanout, cfg.Logs, stream.Deps{
			Verifier: verifier.With(checker), Rights: checker, Tickets: g.feed, NoTicket: feed.ErrNoTicket, Revoked: checker.List(), Limits: db, Logs: logs, Log: log,
			Messages: g.feed, Visible: logs.Visible,
		})
	}
	if err == nil {
		err = errors.Join(g.streams.Observe(meter), g.feed.Observe(meter), verifier.Observe(meter))
	}
	if err != nil {
		cancel()
		_ = g.feed.Close() // nothing is lost
		return nil, err
	}
	g.Handler = g.streams
	g.feed.FollowRevocations(checker.List())
	g.running.Go(func() { logs.Run(ctx) })
	g.running.Go(func() { logs.Guard(ctx, g.feed) })
	g.running.Go(func() { checker.Run(ctx) })
	g.running.Go(func() {
		if err := g.feed.Run(ctx, logs); err != nil {
			log.ErrorContext(ctx, "feed not followed", "err", err)
		}
	})
	return g, nil
}

// Probe sends a message through Redis and back.
func (g *Gateway) Probe(ctx context.Context) error { return g.feed.Probe(ctx) }

// Drain refuses new streams and closes the open ones, spread over the drain window.
func (g *Gateway) Drain(ctx context.Context) { g.streams.Drain(ctx) }

// Routes returns what is served, each as "GET /api/things", sorted.
func (g *Gateway) Routes() []string { return g.streams.Routes() }

// Close ends everything.
func (g *Gateway) Close() {
	g.streams.Close()
	g.cancel()
	g.running.Wait()
	_ = g.feed.Close() // everything was read and nothing is written
}
