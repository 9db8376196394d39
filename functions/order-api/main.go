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
	"orderbell/internal/user"
)

func main() { service.Main("order-api", run) }

func run(ctx context.Context, s *service.Service) (err error) {
	var db database.Config
	var redis feed.Config
	var limits user.DefaultLimits
	if err := errors.Join(service.Load(&db), service.Load(&redis), service.Load(&limits)); err != nil {
		return err
	}
	pool, err := database.Open(ctx, db, s.Name)
	if err != nil {
		return err
	}
	defer pool.Close()
	watchers, err := feed.Open(redis)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, watchers.Close()) }()
	if err := errors.Join(limits.Check(), s.Observe(pool, watchers)); err != nil {
		return err
	}
	users := userstore.New(pool)
	callers, err := access.Open(ctx, s.Log, watchers, users)
	if err != nil {
		return err
	}
	defer callers.Close()
	s.Ready(service.Check{Name: "database", Probe: func(ctx context.Context) error { return database.Ready(ctx, pool) }})
	orders := orderapi.Limited(orderapi.Hinted(ctx, orderstore.New(pool), watchers.Hint), users, limits)
	return s.Serve(ctx, orderapi.New(s.Log, callers.Verifier, orders), nil)
}
