package auth_test

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/problem/problemtest"
	"orderbell/internal/user"
)

// TestProblems has one request for each reason to refuse the token of a user, of a device or of a sender of events.
func TestProblems(t *testing.T) {
	t.Parallel()
	var book problemtest.Book
	addUsers(t, &book)
	addSenders(t, &book)
	book.Compare(t)
}

// asker sends a request with a header to h.
type asker struct {
	book *problemtest.Book
	h    http.Handler
	what string // the request
}

func (a asker) add(t *testing.T, what string, authorization ...string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if authorization != nil {
		r.Header["Authorization"] = authorization
	}
	w := httptest.NewRecorder()
	a.h.ServeHTTP(w, r)
	a.book.Add(t, a.what+": "+what, w.Result())
}

func addUsers(t *testing.T, book *problemtest.Book) {
	t.Helper()
	fine := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request is accepted") })
	of := func(v *auth.Verifier) asker {
		return asker{book, v.Require([]user.Role{user.Owner, user.Manager}, fine), "any API"}
	}
	api := of(setup(t))
	hs := func(change func(jwt.MapClaims)) string {
		return "Bearer " + token(t, jwt.SigningMethodHS256, []byte(secret), change)
	}
	set := func(claim string, value any) string { return hs(func(c jwt.MapClaims) { c[claim] = value }) }
	without := func(claim string) string { return hs(func(c jwt.MapClaims) { delete(c, claim) }) }
	now := time.Now().Unix()
	claims := fmt.Sprintf(`"sub":"u1","tenant_id":"demo","iss":"orderbell","aud":"orderbell","exp":%d,"iat":%d`, now+3600, now)
	raw := func(header, claims string) string {
		b64 := base64.RawURLEncoding
		return "Bearer " + sign(b64.EncodeToString([]byte(header)), b64.EncodeToString([]byte(claims)))
	}
	const plain = `{"alg":"HS256"}`

	api.add(t, "no token")
	api.add(t, "a password", "Basic b3JkZXI6cGFpZA==")
	api.add(t, "Authorization twice", set("sub", "u1"), set("sub", "u2"))
	api.add(t, "a word that is not a token", "Bearer x")
	api.add(t, "another secret", "Bearer "+token(t, jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), nil))
	api.add(t, "another algorithm", "Bearer "+token(t, jwt.SigningMethodHS512, []byte(secret), nil))
	api.add(t, "a critical extension", raw(`{"alg":"HS256","crit":["exp"]}`, `{`+claims+`}`))
	api.add(t, "a token that has expired", set("exp", 1))
	api.add(t, "a token without an end", without("exp"))
	api.add(t, "a token of tomorrow", set("nbf", now+86400))
	api.add(t, "a token that will be issued tomorrow", set("iat", now+86400))
	api.add(t, "no time of issue", without("iat"))
	api.add(t, "a token for two days", set("exp", now+2*86400))
	api.add(t, "another issuer", set("iss", "x"))
	api.add(t, "another audience", set("aud", "x"))
	api.add(t, "no user", without("sub"))
	api.add(t, "a user id with a line end", set("sub", "a\nb"))
	api.add(t, "no tenant", without("tenant_id"))
	api.add(t, "two tenants", set("tenant_id", []string{"demo", "kopi"}))
	api.add(t, "a claim twice", raw(plain, `{`+claims+`,"sub":"u2"}`))
	api.add(t, "claims in Latin-1", raw(plain, "{\"name\":\"J\xf6rg\","+claims+`}`))
	api.add(t, "a role that may not do it", set("roles", "viewer"))
	api.add(t, "a device that was not paired", "Bearer "+auth.DeviceToken("demo", "6f1f6c1e-3c57-4b4b-9a0e-0d6d2f1f9b10", strings.Repeat("s", 43)))

	one := config()
	one.Tenant = "demo"
	of(authtest.Verifier(t, one)).add(t, "a provider of one tenant, and a token of another", set("tenant_id", "kopi"))

	p := newProvider(t, newKey(t, "ours"))
	v := p.verifier(t, never, 0)
	of(v).add(t, "an unknown key", "Bearer "+newKey(t, "foreign").token(t))
	of(v).add(t, "a key id that is a number", raw(`{"alg":"ES256","kid":7}`, `{`+claims+`}`))
	p.fail(http.StatusServiceUnavailable, "")
	of(v).add(t, "a key that cannot be loaded", "Bearer "+newKey(t, "next").token(t))
}

func addSenders(t *testing.T, book *problemtest.Book) {
	t.Helper()
	of := func(cfg auth.SenderConfig) asker {
		cfg.Log = slog.New(slog.DiscardHandler)
		senders, err := auth.NewSenders(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		return asker{book, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if p := senders.Check(r); p != nil {
				p.Write(w)
			}
		}), "any event function"}
	}
	ours := newKey(t, "ours")
	cfg, away := apiServer(t, ours)
	function := of(cfg)
	set := func(claim string, value any) string {
		return sent(t, ours, func(c jwt.MapClaims) { c[claim] = value })
	}
	now := time.Now().Unix()
	function.add(t, "no token")
	function.add(t, "a word that is not a token", "Bearer x")
	function.add(t, "another function's token", set("aud", "orderbell/order-created"))
	function.add(t, "another cluster's token", set("iss", "https://evil.example"))
	function.add(t, "a foreign key", sent(t, newKey(t, "ours"), nil))
	function.add(t, "a token without an end", sent(t, ours, func(c jwt.MapClaims) { delete(c, "exp") }))
	function.add(t, "a foreign service account", set("sub", "system:serviceaccount:shop:default"))
	function.add(t, "a token that has just expired", set("exp", now-120))
	function.add(t, "a key that the API server does not know", sent(t, newKey(t, "next"), nil))
	away.Store(true)
	of(cfg).add(t, "keys that cannot be loaded", sent(t, ours, nil))
	of(auth.SenderConfig{Secret: strings.Repeat("s", 32)}).add(t, "another secret", "Bearer x")
}
