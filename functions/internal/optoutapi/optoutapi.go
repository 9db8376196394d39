// Package optoutapi serves the links in mails: GET shows a page with a button, and POST performs the action. An
// unsubscribe link switches the user's mails off, by the page's button or by a mail program's (RFC 8058). A
// confirmation link confirms the user's address.
//
// GET changes nothing, because mail scanners follow links. A link needs no sign-in. An unsubscribe link works once; a
// repeated or late POST succeeds while mails are off. A confirmation link can be used again: the
// address stays confirmed. Answers are pages in the tenant's language or, if the tenant is not known, in the browser's.
package optoutapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"orderbell/functions/internal/mail/optout"
	"orderbell/internal/problem"
	"orderbell/internal/server"
	"orderbell/internal/text"
	"orderbell/internal/user"
	"orderbell/internal/wording"
)

//go:embed templates
var files embed.FS

// Store has the users' subscriptions. Its errors are package user's outcomes or failures of the store.
type Store interface {
	Subscription(ctx context.Context, o user.OptOut) (user.Subscription, error)
	OptOut(ctx context.Context, o user.OptOut, by user.Act) (user.Subscription, error)
}

type api struct {
	pages

	links *optout.Links
	store Store
}

// pages writes the answers.
type pages struct {
	log    *slog.Logger
	words  *wording.Catalogues
	page   *template.Template
	style  template.CSS
	policy string // Content-Security-Policy: only this page's style and form
}

// New returns the handler of [optout.Path] and the paths below it.
func New(log *slog.Logger, links *optout.Links, store Store) (http.Handler, error) {
	p, err := newPages(log)
	return api{p, links, store}, err
}

func newPages(log *slog.Logger) (pages, error) {
	words, err := wording.Load()
	if err != nil {
		return pages{}, err //nolint:wrapcheck // it says what
	}
	page, err := template.ParseFS(files, "templates/page.html")
	if err != nil {
		return pages{}, fmt.Errorf("parse the page: %w", err)
	}
	style, err := files.ReadFile("templates/page.css")
	if err != nil {
		return pages{}, fmt.Errorf("read the page's style: %w", err)
	}
	sum := sha256.Sum256(style)
	return pages{
		log: log, words: words, page: page, style: template.CSS(style), //nolint:gosec // ours
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
	}, nil
}

// outcome is the page to show, as the key of its texts.
type outcome string

const (
	ask     outcome = "ask"
	done    outcome = "done"
	forged  outcome = "forged"
	expired outcome = "expired"
	used    outcome = "used"
	gone    outcome = "gone" // the user was removed
	trouble outcome = "trouble"
)

func (a api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !allowed(w, r, "use GET to see the page, or POST to unsubscribe") {
		return
	}
	what, sub, err := a.serve(r)
	if err != nil {
		a.log.ErrorContext(r.Context(), "unsubscribe link not served", "method", r.Method, "err", err)
	}
	a.write(w, r, what, a.view(r, what, sub))
}

// serve performs the action on POST, and returns the page to show. The error is of [trouble].
func (a api) serve(r *http.Request) (outcome, user.Subscription, error) {
	claim, err := a.links.Read(strings.TrimPrefix(r.URL.Path, optout.Path), time.Now())
	if errors.Is(err, optout.ErrForged) {
		return forged, user.Subscription{}, nil
	}
	link := user.OptOut{MailID: claim.MailID, TenantID: claim.TenantID, UserID: claim.UserID, Expires: claim.Expires}
	do := a.store.Subscription
	if late := errors.Is(err, optout.ErrExpired); late || r.Method != http.MethodPost {
		sub, err := do(r.Context(), link)
		switch {
		case (err == nil || errors.Is(err, user.ErrUsed)) && !sub.Enabled: // however old the link is
			return done, sub, nil
		case late: // errors are ignored: only the language depends on it
			return expired, sub, nil
		}
		return result(ask, sub, err)
	}
	sub, err := a.store.OptOut(r.Context(), link, user.Act{Actor: "user:" + claim.UserID, Address: server.ClientAddress(r)})
	if errors.Is(err, user.ErrUsed) && !sub.Enabled {
		err = nil // mail programs repeat their requests (RFC 8058 §3.2), and mails are off
	}
	return result(done, sub, err)
}

func result(good outcome, sub user.Subscription, err error) (outcome, user.Subscription, error) {
	switch {
	case err == nil:
		return good, sub, nil
	case errors.Is(err, user.ErrUsed):
		return used, sub, nil
	case errors.Is(err, user.ErrNotFound):
		return gone, sub, nil
	}
	return trouble, sub, err
}

// view is the data of the page.
type view struct {
	Language    string
	Style       template.CSS
	Tenant      string // may be empty
	Title, Text string
	Button      string // of the form; empty for no button
	OneClick    bool   // the button sends the body of RFC 8058
	Preferences string // the address; empty: it is not shown
	Choose      string // its label
}

func (a api) view(r *http.Request, what outcome, sub user.Subscription) view {
	words := a.wordsFor(r, sub.Locale)
	key := "page." + string(what)
	tenant := text.Isolate(text.Line(sub.TenantName))
	v := view{
		Language: words.Language, Tenant: tenant, Title: words.Say(key+".title", "tenant", tenant),
		Text:        words.Say(key+".text", "tenant", tenant, "email", text.Line(sub.Email)),
		Preferences: a.links.Preferences(), Choose: words.Say("page.preferences"),
	}
	if what == ask {
		v.Button, v.OneClick = words.Say("page.ask.button"), true
	}
	return v
}

// wordsFor returns the texts in the tenant's language or, if the tenant is not known, in the browser's.
func (p pages) wordsFor(r *http.Request, locale string) *wording.Words {
	if locale != "" {
		return p.words.For(locale)
	}
	return p.words.Accepted(r.Header.Get("Accept-Language"))
}

// allowed answers 400 to a query that cannot be parsed, and 405 to other methods, with an Allow header.
func allowed(w http.ResponseWriter, r *http.Request, does string) bool {
	var refusal *problem.Problem
	if errors.As(problem.CheckQuery(r), &refusal) {
		http.Error(w, refusal.Detail, refusal.Status)
		return false
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodPost {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD, POST")
	http.Error(w, does, http.StatusMethodNotAllowed)
	return false
}

// write answers with the page of an outcome, and its status.
func (p pages) write(w http.ResponseWriter, r *http.Request, what outcome, v view) {
	var body bytes.Buffer
	v.Style = p.style
	if err := p.page.Execute(&body, v); err != nil {
		p.log.ErrorContext(r.Context(), "page not written", "err", err)
		http.Error(w, v.Title, http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.Language)
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the address is the capability
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex")
	switch what {
	case ask, done:
		w.WriteHeader(http.StatusOK)
	case trouble:
		h.Set("Retry-After", "60")
		w.WriteHeader(http.StatusServiceUnavailable)
	case forged, expired, used, gone:
		w.WriteHeader(http.StatusBadRequest)
	}
	_, _ = w.Write(body.Bytes()) // the client has gone if this fails
}
