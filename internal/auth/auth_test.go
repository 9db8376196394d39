package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/user"
)

const secret = authtest.Secret

func config() auth.Config {
	cfg := authtest.Config(secret)
	cfg.RoleNames, cfg.Leeway = map[string]string{"kasir": "cashier"}, time.Second
	return cfg
}

func setup(t *testing.T) *auth.Verifier {
	t.Helper()
	return authtest.Verifier(t, config())
}

// token signs the claims of a valid token after change has changed them.
func token(t *testing.T, method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
	t.Helper()
	claims := jwt.MapClaims{
		"sub": "u1", "tenant_id": "demo", "roles": []string{"owner"}, "iss": "orderbell", "aud": "orderbell",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	if change != nil {
		change(claims)
	}
	s, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestVerify(t *testing.T) {
	t.Parallel()
	v := setup(t)
	set := func(claim string, value any) func(jwt.MapClaims) {
		return func(c jwt.MapClaims) {
			c[claim] = value
			if value == nil {
				delete(c, claim)
			}
		}
	}
	t.Run("a token signed here is accepted", func(t *testing.T) {
		t.Parallel()
		now := time.Now().Truncate(time.Second)
		want := auth.Principal{
			UserID: "u1", TenantID: "demo", Roles: []user.Role{user.Kitchen}, TokenID: "t1",
			Expires: now.Add(time.Minute), Issued: now.Add(-time.Second), VerifiedEmail: "ana@demo.example",
		}
		signed, err := config().Sign(want, now)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.Verify(signed)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	for name, tt := range map[string]struct {
		token string
		want  string
	}{
		"no token at all":                           {"", "malformed"},
		"three words":                               {"a.b.c", "malformed"},
		"an unsigned token":                         {token(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil), "signature is not valid"},
		"another algorithm":                         {token(t, jwt.SigningMethodHS512, []byte(secret), nil), "signature is not valid"},
		"another secret":                            {token(t, jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), nil), "signature is not valid"},
		"a token that has expired":                  {token(t, jwt.SigningMethodHS256, []byte(secret), set("exp", 1)), "expired"},
		"a token without an end":                    {token(t, jwt.SigningMethodHS256, []byte(secret), set("exp", nil)), "no claim exp"},
		"a token that is not valid before tomorrow": {token(t, jwt.SigningMethodHS256, []byte(secret), set("nbf", time.Now().Add(time.Hour).Unix())), "not valid before"},
		"a token issued tomorrow":                   {token(t, jwt.SigningMethodHS256, []byte(secret), set("iat", time.Now().Add(time.Hour).Unix())), "iat is in the future"},
		"other audiences":                           {token(t, jwt.SigningMethodHS256, []byte(secret), set("aud", []string{"x", "orderbell-admin"})), "audience"},
		"another issuer":                            {token(t, jwt.SigningMethodHS256, []byte(secret), set("iss", "x")), "issuer"},
		"another audience":                          {token(t, jwt.SigningMethodHS256, []byte(secret), set("aud", "x")), "audience"},
		"no subject":                                {token(t, jwt.SigningMethodHS256, []byte(secret), set("sub", "")), "claim sub"},
		"no tenant":                                 {token(t, jwt.SigningMethodHS256, []byte(secret), set("tenant_id", nil)), "tenant_id"},
		"a tenant with a hash tag":                  {token(t, jwt.SigningMethodHS256, []byte(secret), set("tenant_id", "{demo}")), "tenant_id"},
		"a tenant that is a number":                 {token(t, jwt.SigningMethodHS256, []byte(secret), set("tenant_id", 7)), "tenant_id"},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			t.Parallel()
			_, err := v.Verify(tt.token)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
	for verified, want := range map[any]string{true: "ana@demo.example", false: "", "true": "", nil: ""} {
		signed := token(t, jwt.SigningMethodHS256, []byte(secret), func(c jwt.MapClaims) {
			c["email"], c["email_verified"] = "ana@demo.example", verified
		})
		if got, err := v.Verify(signed); err != nil || got.VerifiedEmail != want {
			t.Errorf("email_verified %v: the verified address is %q, %v, want %q", verified, got.VerifiedEmail, err, want)
		}
	}
	for name, tt := range map[string]struct {
		claim any
		want  []user.Role
	}{
		"roles in an array":                    {[]string{"owner", "viewer"}, []user.Role{user.Owner, user.Viewer}},
		"roles in a string":                    {"kitchen viewer", []user.Role{user.Kitchen, user.Viewer}},
		"a provider's own name":                {[]string{"kasir"}, []user.Role{user.Cashier}},
		"unknown roles":                        {[]any{"boss", 7}, nil},
		"a role that occurs twice counts once": {"owner owner", []user.Role{user.Owner}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := v.Verify(token(t, jwt.SigningMethodHS256, []byte(secret), set("roles", tt.claim)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Roles); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRequire(t *testing.T) {
	t.Parallel()
	h := setup(t).Require(user.Sellers(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := auth.Who(r)
		if err != nil || p.TenantID != "demo" {
			t.Errorf("the handler sees %+v, want the token's tenant", p)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	good := token(t, jwt.SigningMethodHS256, []byte(secret), nil)
	kitchen := token(t, jwt.SigningMethodHS256, []byte(secret), func(c jwt.MapClaims) { c["roles"] = "kitchen" })
	for name, tt := range map[string]struct {
		header    string
		status    int
		challenge string
	}{
		"a seller passes":                        {"Bearer " + good, 204, ""},
		"the case of the scheme does not matter": {"bearer " + good, 204, ""},
		"no header is 401":                       {"", 401, "Bearer"},
		"another scheme is 401":                  {"Basic " + good, 401, "Bearer"},
		"a bad token is 401":                     {"Bearer x", 401, `Bearer error="invalid_token"`},
		"a missing role is 403":                  {"Bearer " + kitchen, 403, ""},
		"a token without a scheme":               {good, 401, "Bearer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.Header.Set("Authorization", tt.header)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tt.status || w.Header().Get("WWW-Authenticate") != tt.challenge {
				t.Errorf("got %d with challenge %q, want %d with %q", w.Code, w.Header().Get("WWW-Authenticate"), tt.status, tt.challenge)
			}
		})
	}
}

func TestNewVerifier(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]auth.Config{
		"neither keys nor a secret": {},
		"a short secret":            {DevSecret: "short"},
		"keys and a secret":         {DevSecret: secret, JWKSURL: "http://127.0.0.1:1/jwks"},
		"a malformed URL":           {JWKSURL: "::"},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			t.Parallel()
			if _, err := auth.NewVerifier(t.Context(), cfg); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestARevocationCovers(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 10, 0, 0, 500_000_000, time.UTC)
	ofUser := auth.Revocation{TenantID: "demo", UserID: "u1", At: at}
	ofToken := auth.Revocation{TenantID: "demo", TokenID: "t1", At: at}
	p := auth.Principal{TenantID: "demo", UserID: "u1", TokenID: "t1", Issued: at.Truncate(time.Second)}
	for name, c := range map[string]struct {
		of     auth.Revocation
		change func(*auth.Principal)
		want   bool
	}{
		"the user's token of the same second":      {ofUser, func(*auth.Principal) {}, true},
		"the user's token without a time of issue": {ofUser, func(p *auth.Principal) { p.Issued = time.Time{} }, true},
		"not the user's token of the next second":  {ofUser, func(p *auth.Principal) { p.Issued = p.Issued.Add(time.Second) }, false},
		"not another user's":                       {ofUser, func(p *auth.Principal) { p.UserID = "u2" }, false},
		"not another tenant's user of the same id": {ofUser, func(p *auth.Principal) { p.TenantID = "kopi" }, false},
		"the token":                                 {ofToken, func(p *auth.Principal) { p.Issued = p.Issued.Add(time.Hour) }, true},
		"not another token":                         {ofToken, func(p *auth.Principal) { p.TokenID = "t2" }, false},
		"not a token without an id":                 {ofToken, func(p *auth.Principal) { p.TokenID = "" }, false},
		"not another tenant's token of the same id": {ofToken, func(p *auth.Principal) { p.TenantID = "kopi" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := p
			c.change(&p)
			if got := c.of.Covers(p); got != c.want {
				t.Errorf("covers %+v: %t", p, got)
			}
		})
	}
}
