package main

import (
	"log/slog"
	"net/http"

	"orderbell/functions/internal/access"
	"orderbell/functions/internal/deviceapi"
	"orderbell/functions/internal/inboxapi"
	"orderbell/functions/internal/mail/optout"
	"orderbell/functions/internal/optoutapi"
	"orderbell/functions/internal/userapi"
	"orderbell/internal/auth"
	"orderbell/internal/feed"
	"orderbell/internal/paths"
	"orderbell/internal/store/database"
	"orderbell/internal/store/inboxstore"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

type config struct {
	Database database.Config
	Redis    feed.Config
	Access   access.Config
	Links    optout.Config
	Limits   user.DefaultLimits
	Invite   userapi.Config
}

// routes returns the program's APIs as one.
func routes(cfg config, log *slog.Logger, verifier *auth.Verifier, users *userstore.Store, inboxes *inboxstore.Store, watchers *feed.Feed) (http.Handler, error) {
	links, err := optout.New(cfg.Links)
	if err != nil {
		return nil, err
	}
	unsubscribe, err := optoutapi.New(log, links, users)
	if err != nil {
		return nil, err
	}
	confirm, err := optoutapi.NewConfirm(log, links, users)
	if err != nil {
		return nil, err
	}
	terms := user.InvitationTerms{Limits: cfg.Limits, Life: cfg.Invite.Life, MailDomain: links.Host()}
	notifications := inboxapi.New(log, verifier, inboxes, watchers)
	devices, pairings := deviceapi.New(log, verifier, users, watchers, cfg.Limits.MaxDevices)
	mux := http.NewServeMux()
	mux.Handle("/", userapi.New(log, verifier, users, watchers, terms))
	mux.Handle(paths.Notifications, notifications)
	mux.Handle(paths.Notifications+"/", notifications)
	mux.Handle(paths.Devices, devices)
	mux.Handle(paths.Devices+"/", devices)
	mux.Handle(paths.Pairings, pairings)
	mux.Handle(paths.Pairings+"/", pairings)
	mux.Handle(optout.Path, unsubscribe)
	mux.Handle(optout.ConfirmPath, confirm)
	return mux, nil
}
