package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"orderbell/internal/auth"
	"orderbell/internal/user"
)

const encodedHS256 = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

// sign signs claims that may be anything, as the holder of the key could.
func sign(header, payload string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	signed := header + "." + payload
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// checkPrincipal checks what must hold for every accepted token.
func checkPrincipal(t *testing.T, p auth.Principal) {
	t.Helper()
	if p.UserID == "" || len(p.UserID) > 255 || !user.IsTenantID(p.TenantID) {
		t.Errorf("user %q of tenant %q was accepted", p.UserID, p.TenantID)
	}
	if leeway := config().Leeway; p.Expires.Before(time.Now().Add(-leeway - time.Minute)) {
		t.Errorf("a token of %s was accepted", p.Expires)
	}
	for i, r := range p.Roles {
		if !r.Valid() {
			t.Errorf("role %d is %q", i, r)
		}
	}
}

// FuzzRequire sends any Authorization header: a token that our key did not sign is refused, and the answer is 401 with a
// challenge, or 403.
func FuzzRequire(f *testing.F) {
	good := jwt.MapClaims{
		"sub": "u1", "tenant_id": "demo", "roles": []string{"owner"}, "iss": "orderbell", "aud": "orderbell", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for _, method := range []jwt.SigningMethod{jwt.SigningMethodHS256, jwt.SigningMethodHS512} {
		token, err := jwt.NewWithClaims(method, good).SignedString([]byte(secret))
		if err != nil {
			f.Fatal(err)
		}
		f.Add("Bearer " + token)
		f.Add("bearer  " + token + " ")
		f.Add("Bearer " + token[:len(token)-1])
		f.Add("Bearer " + token + ".")
	}
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, good).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("Bearer " + unsigned)
	f.Add("Basic dTpw")
	f.Add("Bearer")
	f.Add("Bearer ..")
	f.Add("\x00")
	v, err := auth.NewVerifier(f.Context(), config())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header string) {
		var who auth.Principal
		let := false
		h := v.Require([]user.Role{user.Owner}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			let = true
			if who, err = auth.Who(r); err != nil {
				t.Error(err)
			}
		}))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.Header["Authorization"] = []string{header}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch {
		case let:
			checkPrincipal(t, who)
			_, token, _ := strings.Cut(header, " ")
			token = strings.TrimSpace(token)
			parts := strings.Split(token, ".")
			if len(parts) != 3 || sign(parts[0], parts[1]) != token {
				t.Errorf("accepted a token that our key did not sign: %q", header)
			}
		case w.Code == http.StatusUnauthorized:
			if !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("401 with the challenge %q", w.Header().Get("WWW-Authenticate"))
			}
		case w.Code != http.StatusForbidden:
			t.Errorf("status %d", w.Code)
		}
	})
}

// FuzzClaims signs any claims with the right key: an identity provider may err, and then no request passes without a user.
func FuzzClaims(f *testing.F) {
	good := fmt.Sprintf(`"iss":"orderbell","aud":"orderbell","exp":%d`, time.Now().Add(time.Hour).Unix())
	for _, claims := range []string{
		`{"sub":"u1","tenant_id":"demo","roles":["owner"],` + good + `}`,
		`{"sub":"u1","tenant_id":"demo","roles":"kasir owner owner",` + good + `,"iat":1,"nbf":1,"jti":"j"}`,
		`{"sub":"","tenant_id":"demo",` + good + `}`,
		`{"sub":1,"tenant_id":["demo"],"roles":{"owner":true},` + good + `}`,
		`{"sub":"u1","tenant_id":"{demo}",` + good + `}`,
		`{"sub":"u1","sub":"u2","tenant_id":"demo",` + good + `}`,
		`{"sub":"u1","tenant_id":"demo","iss":"orderbell","aud":["x","orderbell"],"exp":9e99}`,
		`{"sub":"u1","tenant_id":"demo","iss":"orderbell","aud":"orderbell","exp":-1}`,
		`{"sub":"u1","tenant_id":"demo","iss":"orderbell","aud":"orderbell","exp":"soon"}`,
		`[]`, `null`, ``, `{`,
	} {
		f.Add([]byte(claims))
	}
	v, err := auth.NewVerifier(f.Context(), config())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, claims []byte) {
		token := sign(encodedHS256, base64.RawURLEncoding.EncodeToString(claims))
		p, err := v.Verify(token)
		if err != nil {
			if strings.Contains(err.Error(), token) {
				t.Errorf("the error contains the token: %v", err)
			}
			return
		}
		checkPrincipal(t, p)
	})
}
