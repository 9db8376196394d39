// Command order-api takes orders and their changes over HTTP and writes them, with their events, to PostgreSQL.
package main

import (
	"context"
	"errors"

	"orderbell/functions/internal/access"
	"orderbell/functions/internal/orderapi"
	"orderbell/internal/feed"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/orderstore"
	"orderbell/internal/store/userstore"
)

func main() { service.Main("order-api", run) }

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
	s.Ready(service.Check{Name: "database", Probe: func(ctx context.Context) error { return database.Ready(ctx, pool) }})
	orders := orderapi.Limited(orderapi.Hinted(ctx, orderstore.New(pool), watchers.Committed), users, cfg.Limits)
	return s.Serve(ctx, orderapi.New(s.Log, callers.Verifier, orders), nil)
}
