// Command user-api serves a tenant's users, their preferences and their inbox over HTTP, and the unsubscribe links of
// mails.
package main

import (
	"context"
	"errors"

	"orderbell/functions/internal/access"
	"orderbell/internal/feed"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/inboxstore"
	"orderbell/internal/store/userstore"
)

func main() { service.Main("user-api", run) }

func run(ctx context.Context, s *service.Service) (err error) {
	var cfg config
	if err := service.Load(&cfg); err != nil {
		return err
	}
	pool, err := database.Open(ctx, cfg.Database, s.Name)
	if err != nil {
		return err
	}
	defer pool.Close()
	watchers, err := feed.Open(cfg.Redis)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, watchers.Close()) }()
	users := userstore.New(pool)
	callers, err := access.Open(ctx, cfg.Access, s.Log, watchers, users)
	if err != nil {
		return err
	}
	defer callers.Close()
	if err := s.Observe(pool, watchers, callers.Verifier); err != nil {
		return err
	}
	handler, err := routes(cfg, s.Log, callers.Verifier, users, inboxstore.New(pool), watchers)
	if err != nil {
		return err
	}
	s.Ready(service.Check{Name: "database", Probe: func(ctx context.Context) error { return database.Ready(ctx, pool) }})
	return s.Serve(ctx, handler, nil)
}
