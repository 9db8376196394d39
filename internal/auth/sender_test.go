package auth_test

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"orderbell/internal/auth"
)

const (
	issuer  = "https://kubernetes.default.svc.cluster.local"
	subject = "system:serviceaccount:orderbell:order-paid-oidc-eventing.knative.dev-trigger"
)

// apiServer serves its keys as Kubernetes does: over TLS, and only to a service account.
func apiServer(t *testing.T, k key) (auth.SenderConfig, *atomic.Bool) {
	t.Helper()
	away := &atomic.Bool{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case away.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.Header.Get("Authorization") != "Bearer our-own":
			w.WriteHeader(http.StatusForbidden)
		default:
			_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{k.public()}})
		}
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	cfg := auth.SenderConfig{
		Issuer: issuer, Audience: "orderbell/order-paid", Subjects: []string{subject}, JWKSURL: server.URL + "/openid/v1/jwks",
		TokenFile: filepath.Join(dir, "token"), CAFile: filepath.Join(dir, "ca.crt"),
	}
	write := func(path string, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(cfg.TokenFile, []byte("our-own\n"))
	write(cfg.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	return cfg, away
}

// sent signs the token of a broker's service account after some changes.
func sent(t *testing.T, k key, change func(jwt.MapClaims)) string {
	t.Helper()
	now := time.Now()
	claims := jwt.MapClaims{
		"iss": issuer, "aud": []string{"orderbell/order-paid"}, "sub": subject, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	if change != nil {
		change(claims)
	}
	signed := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	signed.Header["kid"] = k.id
	s, err := signed.SignedString(k.private)
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + s
}

func senderStatus(t *testing.T, s *auth.Senders, header string) (status int, detail string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	if header != "" {
		r.Header.Set("Authorization", header)
	}
	p := s.Check(r)
	if p == nil {
		return http.StatusOK, ""
	}
	return p.Status, p.Detail
}

func TestSendersInACluster(t *testing.T) {
	t.Parallel()
	ours, foreign := newKey(t, "ours"), newKey(t, "ours")
	cfg, away := apiServer(t, ours)
	senders, err := auth.NewSenders(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	claim := func(name string, value any) func(jwt.MapClaims) { return func(c jwt.MapClaims) { c[name] = value } }
	ago := time.Now().Add(-2 * time.Minute).Unix()
	for name, tt := range map[string]struct {
		header string
		status int
		detail string
	}{
		"the Trigger's service account":           {sent(t, ours, nil), 200, ""},
		"no token":                                {"", 401, "Authorization: Bearer is missing"},
		"a password":                              {"Basic b3JkZXI6cGFpZA==", 401, "Authorization: Bearer is missing"},
		"a text that is not a token":              {"Bearer x", 401, "malformed"},
		"another function's token":                {sent(t, ours, claim("aud", "orderbell/order-created")), 401, "audience"},
		"a token for the API server":              {sent(t, ours, claim("aud", issuer)), 401, "audience"},
		"another cluster's token":                 {sent(t, ours, claim("iss", "https://evil.example")), 401, "issuer"},
		"a foreign key under our key's id":        {sent(t, foreign, nil), 401, "signature"},
		"a foreign pod's service account":         {sent(t, ours, claim("sub", "system:serviceaccount:shop:default")), 403, `"system:serviceaccount:shop:default" may not send`},
		"a token without an end":                  {sent(t, ours, func(c jwt.MapClaims) { delete(c, "exp") }), 401, ""},
		"a token that is issued tomorrow":         {sent(t, ours, claim("iat", time.Now().Add(time.Hour).Unix())), 503, "iat is in the future"},
		"a token that is valid tomorrow":          {sent(t, ours, claim("nbf", time.Now().Add(time.Hour).Unix())), 503, "nbf"},
		"a token that has just expired":           {sent(t, ours, claim("exp", ago)), 503, "expired"},
		"an expired token of another audience":    {sent(t, ours, func(c jwt.MapClaims) { c["exp"], c["aud"] = ago, "x" }), 401, ""},
		"a key that the API server does not know": {sent(t, newKey(t, "tomorrow's"), nil), 503, "the key that signed the token is unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			status, detail := senderStatus(t, senders, tt.header)
			if status != tt.status || !strings.Contains(detail, tt.detail) {
				t.Errorf("status %d %q, want %d with %q", status, detail, tt.status, tt.detail)
			}
		})
	}
	t.Run("a critical extension is 401", func(t *testing.T) {
		signed := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
			"iss": issuer, "aud": cfg.Audience, "sub": subject, "exp": time.Now().Add(time.Hour).Unix(),
		})
		signed.Header["kid"], signed.Header["crit"] = ours.id, []string{"exp"}
		raw, err := signed.SignedString(ours.private)
		if err != nil {
			t.Fatal(err)
		}
		if status, detail := senderStatus(t, senders, "Bearer "+raw); status != http.StatusUnauthorized {
			t.Errorf("status %d %s", status, detail)
		}
	})
	t.Run("an unsigned token is 401", func(t *testing.T) {
		raw, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{
			"iss": issuer, "aud": cfg.Audience, "sub": subject, "exp": time.Now().Add(time.Hour).Unix(),
		}).SignedString(jwt.UnsafeAllowNoneSignatureType)
		if err != nil {
			t.Fatal(err)
		}
		if status, detail := senderStatus(t, senders, "Bearer "+raw); status != http.StatusUnauthorized {
			t.Errorf("status %d %s", status, detail)
		}
	})
	t.Run("keys that cannot be fetched are 503, which the broker tries again", func(t *testing.T) {
		away.Store(true)
		defer away.Store(false)
		fresh, err := auth.NewSenders(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if status, detail := senderStatus(t, fresh, sent(t, ours, nil)); status != http.StatusServiceUnavailable {
			t.Errorf("status %d %s", status, detail)
		}
	})
}

func TestSendersOnOneMachine(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("s", 32)
	senders, err := auth.NewSenders(t.Context(), auth.SenderConfig{Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]int{
		"Bearer " + secret: 200, "bearer " + secret: 200, "": 401, "Bearer": 401, "Bearer " + secret[1:]: 401, "Bearer " + secret + "s": 401, secret: 401,
	} {
		if got, detail := senderStatus(t, senders, header); got != want {
			t.Errorf("%q: status %d %s, want %d", header, got, detail, want)
		}
	}
}

func TestSendersAreStrict(t *testing.T) {
	t.Parallel()
	whole := func(change func(*auth.SenderConfig)) auth.SenderConfig {
		cfg := auth.SenderConfig{Issuer: issuer, Audience: "a", Subjects: []string{subject}, JWKSURL: "https://127.0.0.1:1/"}
		change(&cfg)
		return cfg
	}
	for want, cfg := range map[string]auth.SenderConfig{
		"neither EVENT_OIDC_ISSUER nor EVENT_SENDER_SECRET": {},
		"EVENT_SENDER_SECRET has fewer than 32 bytes":       {Secret: "short"},
		"are both set":                    whole(func(c *auth.SenderConfig) { c.Secret = strings.Repeat("s", 32) }),
		"EVENT_OIDC_ISSUER is empty":      whole(func(c *auth.SenderConfig) { c.Issuer = "" }),
		"EVENT_OIDC_AUDIENCE is empty":    whole(func(c *auth.SenderConfig) { c.Audience = "" }),
		"EVENT_OIDC_SUBJECTS is empty":    whole(func(c *auth.SenderConfig) { c.Subjects = nil }),
		"names an empty subject":          whole(func(c *auth.SenderConfig) { c.Subjects = []string{subject, ""} }),
		`"http://keys.example", want htt`: whole(func(c *auth.SenderConfig) { c.JWKSURL = "http://keys.example" }),
		"EVENT_OIDC_CA_FILE":              whole(func(c *auth.SenderConfig) { c.CAFile = "/nowhere" }),
	} {
		if _, err := auth.NewSenders(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
