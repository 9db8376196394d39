package auth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
)

// TestStrictTokens signs tokens with the right key and another fault.
func TestStrictTokens(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.MaxLifetime = 2 * time.Hour
	v := authtest.Verifier(t, cfg)
	now := time.Now().Unix()
	claims := fmt.Sprintf(`"sub":"u1","tenant_id":"demo","iss":"orderbell","aud":"orderbell","roles":"owner","exp":%d,"iat":%d`, now+3600, now-60)
	b64 := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for name, c := range map[string]struct{ header, claims, want string }{
		"a good token":             {`{"alg":"HS256","typ":"JWT"}`, `{` + claims + `}`, ""},
		"a critical extension":     {`{"alg":"HS256","crit":["exp"]}`, `{` + claims + `}`, "crit"},
		"an empty list of those":   {`{"alg":"HS256","crit":[]}`, `{` + claims + `}`, "crit"},
		"two subjects":             {`{"alg":"HS256"}`, `{` + claims + `,"sub":"u2"}`, "more than once"},
		"two tenants":              {`{"alg":"HS256"}`, `{"tenant_id":"kopi",` + claims + `}`, "more than once"},
		"a nested claim twice":     {`{"alg":"HS256"}`, `{` + claims + `,"x":[{"y":{"a":1,"a":2}}]}`, "more than once"},
		"the same name elsewhere":  {`{"alg":"HS256"}`, `{` + claims + `,"x":{"sub":1},"y":[{"sub":1},{"sub":2}]}`, ""},
		"a header twice":           {`{"alg":"HS256","kid":"a","kid":"b"}`, `{` + claims + `}`, "more than once"},
		"an algorithm twice":       {`{"alg":"none","alg":"HS256"}`, `{` + claims + `}`, "more than once"},
		"a life that is too long":  {`{"alg":"HS256"}`, strings.Replace(`{`+claims+`}`, fmt.Sprint(now+3600), fmt.Sprint(now+7300), 1), "valid for more than 2h"},
		"a long life, half over":   {`{"alg":"HS256"}`, strings.Replace(`{`+claims+`}`, fmt.Sprint(now-60), fmt.Sprint(now-7200), 1), "valid for more than 2h"},
		"no time of issue":         {`{"alg":"HS256"}`, strings.Replace(`{`+claims+`}`, fmt.Sprintf(`,"iat":%d`, now-60), "", 1), "claim iat"},
		"an end in the year 10^18": {`{"alg":"HS256"}`, strings.Replace(`{`+claims+`}`, fmt.Sprint(now+3600), "1000000000000000000", 1), "valid for more than"},
		"half of a surrogate pair": {`{"alg":"HS256"}`, `{"name":"\ud83d",` + claims + `}`, "name contains half of a surrogate pair"},
		"half of one in an array":  {`{"alg":"HS256"}`, `{"x":[{"y":["\ude00"]}],` + claims + `}`, "x.y contains half of a surrogate pair"},
		"half of one in a header":  {`{"alg":"HS256","kid":"\ud83d"}`, `{` + claims + `}`, "kid contains half of a surrogate pair"},
		"claims in Latin-1":        {`{"alg":"HS256"}`, "{\"name\":\"J\xf6rg\"," + claims + `}`, "UTF-8"},
		"keys of its own":          {`{"alg":"HS256","jku":"https://evil.example/keys","x5u":"https://evil.example/x","jwk":{"kty":"oct","k":"AAAA"}}`, `{` + claims + `}`, ""},
		"a path as the key's id":   {`{"alg":"HS256","kid":"../../dev/null"}`, `{` + claims + `}`, ""},
		"claims not encoded":       {`{"alg":"HS256","b64":false,"crit":["b64"]}`, `{` + claims + `}`, "crit"},
		"an algorithm of RSA":      {`{"alg":"RS256"}`, `{` + claims + `}`, "signature is not valid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := v.Verify(sign(b64(c.header), b64(c.claims)))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
	for roles, want := range map[string]int{
		`{"owner":false}`: 0, `{"owner":null}`: 0, `{"owner":0}`: 0, `{"owner":"no"}`: 0, `{"owner":{}}`: 0, `{"owner":true,"viewer":false}`: 1, `{"owner":{"1":"demo"}}`: 1,
	} {
		p, err := v.Verify(sign(b64(`{"alg":"HS256"}`), b64(`{`+strings.Replace(claims, `"owner"`, roles, 1)+`}`)))
		if err != nil || len(p.Roles) != want {
			t.Errorf("%s grants %v, %v, want %d roles", roles, p.Roles, err, want)
		}
	}
}

// TestAnIDHasOneSpelling has ids that the database would read as those of a row, but that no revocation would name.
func TestAnIDHasOneSpelling(t *testing.T) {
	t.Parallel()
	const id = "6f1f6c1e-3c57-4b4b-9a0e-0d6d2f1f9b10"
	cfg := authtest.Config(authtest.Secret)
	verifier := authtest.Verifier(t, cfg)
	p, err := verifier.Verify(authtest.Token(t, cfg, auth.Principal{UserID: strings.ToUpper(id), TenantID: "demo"}))
	if err != nil || p.UserID != id {
		t.Errorf("a provider's capitals are the user %q, %v, want %s", p.UserID, err, id)
	}
	secret := strings.Repeat("s", 43)
	for _, other := range []string{strings.ToUpper(id), "{" + id + "}", "urn:uuid:" + id, strings.ReplaceAll(id, "-", "")} {
		if p, err := verifier.Verify(auth.DeviceToken("demo", other, secret)); err == nil {
			t.Errorf("a device calls itself %s and is %q", other, p.UserID)
		}
	}
	if p, err := verifier.Verify(auth.DeviceToken("demo", id, secret)); err != nil || p.UserID != id {
		t.Errorf("a device is %q, %v", p.UserID, err)
	}
}

// TestARevocationOutlivesEveryTokenOfBefore revokes the longest token of the most lenient configuration, of an issuer whose
// clock is ahead, and checks it for as long as it is valid.
func TestARevocationOutlivesEveryTokenOfBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		cfg.MaxLifetime, cfg.Leeway = 7*24*time.Hour, 2*time.Minute
		v := authtest.Verifier(t, cfg)
		now := time.Now()
		ahead := now.Add(cfg.Leeway) // by the issuer's clock
		token, err := cfg.Sign(auth.Principal{UserID: "u1", TenantID: "demo", Expires: now.Add(cfg.MaxLifetime + cfg.Leeway)}, ahead)
		if err != nil {
			t.Fatal(err)
		}
		r := auth.Revocation{TenantID: "demo", UserID: "u1", At: now, Until: now.Add(auth.RevocationKept)}
		for seen := 0; ; seen++ {
			p, err := v.Verify(token)
			if err != nil {
				if seen < 7*24 {
					t.Fatalf("the token was valid for %d hours alone: %v", seen, err)
				}
				return
			}
			if !r.Covers(p) || !r.Until.After(time.Now()) {
				t.Fatalf("the token is valid %s after its revocation", time.Since(now))
			}
			time.Sleep(time.Hour)
		}
	})
}

func TestATokenThatIsIssuedLaterIsNotCovered(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Leeway = 30 * time.Second
	now := time.Now()
	r := auth.Revocation{TenantID: "demo", UserID: "u1", At: now.Add(-time.Minute)}
	token := authtest.Token(t, cfg, auth.Principal{UserID: "u1", TenantID: "demo"})
	if p, err := authtest.Verifier(t, cfg).Verify(token); err != nil || r.Covers(p) {
		t.Errorf("%+v, %v: a token that was issued a minute after the revocation is covered", p, err)
	}
}

func TestStrictConfiguration(t *testing.T) {
	t.Parallel()
	for says, change := range map[string]func(*auth.Config){
		"AUTH_ISSUER is empty":             func(c *auth.Config) { c.Issuer = "" },
		"AUTH_AUDIENCE is empty":           func(c *auth.Config) { c.Audience = "" },
		"AUTH_TENANT_CLAIM is empty":       func(c *auth.Config) { c.TenantClaim = "" },
		"AUTH_ROLES_CLAIM is empty":        func(c *auth.Config) { c.RolesClaim = "" },
		"AUTH_LEEWAY is 2m1s":              func(c *auth.Config) { c.Leeway = 2*time.Minute + time.Second },
		"AUTH_JWKS_REFRESH_INTERVAL is 0s": func(c *auth.Config) { c.DevSecret, c.JWKSURL, c.KeysEvery = "", "https://127.0.0.1:1/jwks", 0 },
		"AUTH_JWKS_MIN_INTERVAL is -1s": func(c *auth.Config) {
			c.DevSecret, c.JWKSURL, c.KeysApart = "", "https://127.0.0.1:1/jwks", -time.Second
		},
		"AUTH_LEEWAY is -1s":               func(c *auth.Config) { c.Leeway = -time.Second },
		"AUTH_MAX_LIFETIME is 1s":          func(c *auth.Config) { c.MaxLifetime = time.Second },
		"AUTH_MAX_LIFETIME is 200h":        func(c *auth.Config) { c.MaxLifetime = 200 * time.Hour },
		"want https: a machine in between": func(c *auth.Config) { c.DevSecret, c.JWKSURL = "", "http://keys.example/jwks" },
		"is \"http://192.0.2.1/jwks\"":     func(c *auth.Config) { c.DevSecret, c.JWKSURL = "", "http://192.0.2.1/jwks" },
		"is \"https:///jwks\"":             func(c *auth.Config) { c.DevSecret, c.JWKSURL = "", "https:///jwks" },
		"want https://":                    func(c *auth.Config) { c.DevSecret, c.JWKSURL = "", "ftp://127.0.0.1/jwks" },
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			cfg := config()
			cfg.KeysEvery = time.Minute
			change(&cfg)
			if _, err := auth.NewVerifier(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestTheEndsOfAConfiguration(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*auth.Config){
		"the shortest lifetime": func(c *auth.Config) { c.MaxLifetime = time.Minute },
		"the longest lifetime":  func(c *auth.Config) { c.MaxLifetime = 7 * 24 * time.Hour },
		"no leeway":             func(c *auth.Config) { c.Leeway = 0 },
		"the widest leeway":     func(c *auth.Config) { c.Leeway = 2 * time.Minute },
		"no claim of a tenant":  func(c *auth.Config) { c.TenantClaim, c.Tenant = "", "demo" },
		"keys of this machine":  func(c *auth.Config) { c.DevSecret, c.JWKSURL = "", "http://[::1]:1/jwks" },
	} {
		cfg := config()
		cfg.KeysEvery = time.Minute
		change(&cfg)
		if _, err := auth.NewVerifier(t.Context(), cfg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAWeakKeyOfTheProviderSignsNothing(t *testing.T) {
	t.Parallel()
	for bits, status := range map[int]int{1024: http.StatusUnauthorized, 2048: http.StatusOK} {
		private, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint(bits)
		p := newProvider(t)
		p.serve(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"keys":[{"kty":"RSA","use":"sig","kid":%q,"e":"AQAB","n":%q}]}`, id, base64.RawURLEncoding.EncodeToString(private.N.Bytes()))
		})
		cfg := config()
		cfg.DevSecret, cfg.JWKSURL, cfg.KeysEvery = "", p.URL, time.Hour
		v := authtest.Verifier(t, cfg)
		token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
			"sub": "u1", "tenant_id": "demo", "iss": "orderbell", "aud": "orderbell", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		})
		token.Header["kid"] = id
		signed, err := token.SignedString(private)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(signed); (err == nil) != (status == http.StatusOK) {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}
