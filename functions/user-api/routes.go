package main

import (
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
	"orderbell/internal/user"
)

// routes returns the program's three APIs as one.
func routes(log *slog.Logger, verifier *auth.Verifier, people *userstore.Store, inboxes *inboxstore.Store, watchers *feed.Feed) (http.Handler, error) {
	var offers optout.Config
	var limits user.DefaultLimits
	if err := errors.Join(service.Load(&offers), service.Load(&limits)); err != nil {
		return nil, err
	}
	if err := limits.Check(); err != nil {
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
	mux.Handle("/", userapi.New(log, verifier, people, watchers, limits))
	mux.Handle("/api/notifications", notices)
	mux.Handle("/api/notifications/", notices)
	mux.Handle(optout.Path, unsubscribe)
	return mux, nil
}
