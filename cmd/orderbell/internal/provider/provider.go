// Package provider is an OpenID provider for development: a user of the local database signs in without a password. So
// `orderbell dev` has the same sign-in as with a real provider, with redirects, tokens and keys.
//
// The protocol is implemented by github.com/zitadel/oidc. This package has the page on which a user is chosen, and a
// store in memory: sessions end with the process.
package provider

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"

	"orderbell/internal/user"
)

// ClientID is the page's, which has no secret.
const ClientID = "orderbell-page"

// Config configures the provider.
type Config struct {
	Issuer    string        // http://localhost:port, where the handler is served
	Page      string        // the origin of the page that users return to
	Audience  string        // the claim aud that the APIs want
	TokenLife time.Duration // of an access token
	Users     func(context.Context) ([]Business, error)
}

// Business is a tenant with its users who can sign in.
type Business struct {
	Name  string
	Users []user.User
}

//go:embed choose.html
var chooseHTML string

type provider struct {
	cfg    Config
	store  *store
	choose *template.Template
	back   func(context.Context, string) string
}

// New returns the provider's handler.
func New(cfg Config) (http.Handler, error) {
	store, err := newStore(cfg)
	if err != nil {
		return nil, err
	}
	choose, err := template.New("choose").Parse(chooseHTML)
	if err != nil {
		return nil, fmt.Errorf("page of the provider: %w", err)
	}
	settings := &op.Config{
		CodeMethodS256: true, GrantTypeRefreshToken: true, DefaultLogoutRedirectURI: cfg.Page + "/",
		SupportedClaims: []string{"sub", "aud", "exp", "iat", "iss", "tenant_id", "roles", "name", "email"},
	}
	if _, err := rand.Read(settings.CryptoKey[:]); err != nil {
		return nil, fmt.Errorf("key of the provider: %w", err)
	}
	opts := []op.Option{op.WithAllowInsecure()} // localhost alone
	server, err := op.NewProvider(settings, store, op.StaticIssuer(cfg.Issuer), opts...)
	if err != nil {
		return nil, fmt.Errorf("start the OpenID provider: %w", err)
	}
	p := &provider{cfg: cfg, store: store, choose: choose, back: op.AuthCallbackURL(server)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+choosePath, p.page)
	mux.Handle("POST "+choosePath, op.NewIssuerInterceptor(server.IssuerFromRequest).HandlerFunc(p.chosen))
	mux.Handle("/", server)
	return ours(mux), nil
}

// choosePath is the page on which a user is chosen. Its query parameter request names the authorization request.
const choosePath = "/choose"

func (p *provider) page(w http.ResponseWriter, r *http.Request) {
	businesses, err := p.cfg.Users(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	err = p.choose.Execute(w, struct {
		Request    string
		Businesses []Business
	}{r.URL.Query().Get("request"), businesses})
	if err != nil {
		return // the browser left
	}
}

func (p *provider) chosen(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	request := r.PostFormValue("request")
	if err := p.store.signIn(r.Context(), request, r.PostFormValue("user")); err != nil {
		status := http.StatusServiceUnavailable
		if errors.Is(err, errUnknown) {
			status = http.StatusBadRequest
		}
		http.Error(w, err.Error(), status)
		return
	}
	http.Redirect(w, r, p.back(r.Context(), request), http.StatusSeeOther)
}

// ours rejects requests whose Host is not this machine, as a protection against DNS rebinding.
func ours(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := (&url.URL{Host: r.Host}).Hostname()
		address, err := netip.ParseAddr(host)
		if !strings.EqualFold(host, "localhost") && (err != nil || !address.IsLoopback()) {
			http.Error(w, "this provider is for this machine alone", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
