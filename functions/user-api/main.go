// Command user-api serves a tenant's people, their preferences and their inbox over HTTP.
package main

import (
	"context"
	"errors"
	"net/http"

	"orderbell/internal/auth"
	"orderbell/internal/database"
	"orderbell/internal/feed"
	"orderbell/internal/inboxapi"
	"orderbell/internal/inboxstore"
	"orderbell/internal/memberapi"
	"orderbell/internal/memberstore"
	"orderbell/internal/service"
)

func main() { service.Main("user-api", run) }

func run(ctx context.Context, s *service.Service) (err error) {
	var db database.Config
	var tokens auth.Config
	var redis feed.Config
	if err := errors.Join(service.Load(&db), service.Load(&tokens), service.Load(&redis)); err != nil {
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
	watchers, err := feed.Open(redis)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, watchers.Close()) }()
	s.Ready(service.Check{Name: "database", Probe: func(ctx context.Context) error { return database.Check(ctx, pool) }})
	mux := http.NewServeMux()
	mux.Handle("/", memberapi.New(s.Log, verifier, memberstore.New(pool)))
	notices := inboxapi.New(s.Log, verifier, inboxstore.New(pool), watchers)
	mux.Handle("/api/notifications", notices)
	mux.Handle("/api/notifications/", notices)
	return s.Serve(ctx, mux, nil)
}
