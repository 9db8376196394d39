// Command user-api serves a tenant's people, their preferences and their inbox over HTTP.
package main

import (
	"context"
	"errors"

	"orderbell/internal/auth"
	"orderbell/internal/database"
	"orderbell/internal/memberapi"
	"orderbell/internal/memberstore"
	"orderbell/internal/service"
)

func main() { service.Main("user-api", run) }

func run(ctx context.Context, s *service.Service) error {
	var db database.Config
	var tokens auth.Config
	if err := errors.Join(service.Load(&db), service.Load(&tokens)); err != nil {
		return err
	}
	verifier, err := auth.NewVerifier(ctx, tokens)
	if err != nil {
		return err
	}
	pool, err := database.Open(ctx, db, s.Name)
	if err != nil {
		return err
	}
	defer pool.Close()
	s.Ready(service.Check{Name: "database", Probe: func(ctx context.Context) error { return database.Check(ctx, pool) }})
	return s.Serve(ctx, memberapi.New(s.Log, verifier, memberstore.New(pool)), nil)
}
