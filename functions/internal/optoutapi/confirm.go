package optoutapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"orderbell/functions/internal/mail/optout"
	"orderbell/internal/server"
	"orderbell/internal/text"
	"orderbell/internal/user"
)

// Invitations has the users' addresses. Its errors are [user.ErrNotFound] or failures of the store.
type Invitations interface {
	Invitation(ctx context.Context, c user.Confirmation) (user.Invitation, error)
	Confirm(ctx context.Context, c user.Confirmation, by user.Act) (user.Invitation, error)
}

type confirmAPI struct {
	pages

	links *optout.Links
	store Invitations
}

// NewConfirm returns the handler of the paths below [optout.ConfirmPath].
func NewConfirm(log *slog.Logger, links *optout.Links, store Invitations) (http.Handler, error) {
	p, err := newPages(log)
	return confirmAPI{p, links, store}, err
}

func (a confirmAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !allowed(w, r, "use GET to see the page, or POST to confirm the address") {
		return
	}
	what, about, err := a.serve(r)
	if err != nil {
		a.log.ErrorContext(r.Context(), "confirmation link not served", "method", r.Method, "err", err)
	}
	a.write(w, r, what, a.view(r, what, about))
}

// serve confirms on POST, and returns the page to show. The error is of [trouble].
func (a confirmAPI) serve(r *http.Request) (outcome, user.Invitation, error) {
	claim, err := a.links.ReadConfirmation(strings.TrimPrefix(r.URL.Path, optout.ConfirmPath), time.Now())
	if errors.Is(err, optout.ErrForged) {
		return forged, user.Invitation{}, nil
	}
	link := user.Confirmation{TenantID: claim.TenantID, UserID: claim.UserID, IsAddress: claim.IsAddress}
	late := errors.Is(err, optout.ErrExpired)
	var about user.Invitation
	if late || r.Method != http.MethodPost {
		about, err = a.store.Invitation(r.Context(), link)
	} else {
		about, err = a.store.Confirm(r.Context(), link, user.Act{Actor: "user:" + claim.UserID, Address: server.ClientAddress(r)})
	}
	switch {
	case errors.Is(err, user.ErrNotFound):
		return gone, about, nil
	case err != nil:
		return trouble, about, err
	case about.Confirmed:
		return done, about, nil
	case late:
		return expired, about, nil
	}
	return ask, about, nil
}

func (a confirmAPI) view(r *http.Request, what outcome, about user.Invitation) view {
	words := a.wordsFor(r, about.Locale)
	key := "confirm." + string(what)
	if what == forged || what == trouble { // the same texts as for unsubscribe links
		key = "page." + string(what)
	}
	tenant := text.Isolate(text.Line(about.TenantName))
	v := view{
		Language: words.Language, Tenant: tenant,
		Title: words.Say(key+".title", "tenant", tenant, "email", text.Line(about.Email)),
		Text:  words.Say(key+".text", "tenant", tenant, "email", text.Line(about.Email)),
	}
	switch what {
	case ask:
		v.Button = words.Say("confirm.ask.button")
	case done:
		v.Preferences, v.Choose = a.links.Preferences(), words.Say("page.preferences")
	case forged, expired, used, gone, trouble:
	}
	return v
}
