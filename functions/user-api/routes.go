package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"orderbell/functions/internal/inboxapi"
	"orderbell/functions/internal/mail/optout"
	"orderbell/functions/internal/optoutapi"
	"orderbell/functions/internal/userapi"
	"orderbell/internal/auth"
	"orderbell/internal/feed"
	"orderbell/internal/service"
	"orderbell/internal/store/inboxstore"
	"orderbell/internal/store/userstore"
)

// routes returns the program's three APIs as one.
func routes(ctx context.Context, log *slog.Logger, people *userstore.Store, inboxes *inboxstore.Store, watchers *feed.Feed) (http.Handler, error) {
	var tokens auth.Config
	var offers optout.Config
	if err := errors.Join(service.Load(&tokens), service.Load(&offers)); err != nil {
		return nil, err
	}
	tokens.Log = log
	verifier, err := auth.NewVerifier(ctx, tokens)
	if err != nil {
		return nil, err
	}
	links, err := optout.New(offers)
	if err != nil {
		return nil, err
	}
	unsubscribe, err := optoutapi.New(log, links, people)
	if err != nil {
		return nil, err
	}
	notices := inboxapi.New(log, verifier, inboxes, watchers)
	mux := http.NewServeMux()
	mux.Handle("/", userapi.New(log, verifier, people))
	mux.Handle("/api/notifications", notices)
	mux.Handle("/api/notifications/", notices)
	mux.Handle(optout.Path, unsubscribe)
	return mux, nil
}
