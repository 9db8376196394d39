// Command order-api takes orders and their changes over HTTP and writes them, with their events, to PostgreSQL.
package main

import (
	"context"
	"errors"

	"orderbell/functions/internal/orderapi"
	"orderbell/internal/auth"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/orderstore"
)

func main() { service.Main("order-api", run) }

func run(ctx context.Context, s *service.Service) error {
	var db database.Config
	var tokens auth.Config
	if err := errors.Join(service.Load(&db), service.Load(&tokens)); err != nil {
		return err
	}
	tokens.Log = s.Log
	verifier, err := auth.NewVerifier(ctx, tokens)
	if err != nil {
		return err
	}
	pool, err := database.Open(ctx, db, s.Name)
	if err != nil {
		return err
	}
	defer pool.Close()
	s.Ready(service.Check{Name: "database", Probe: func(ctx context.Context) error { return database.Ready(ctx, pool) }})
	return s.Serve(ctx, orderapi.New(s.Log, verifier, orderstore.New(pool)), nil)
}
