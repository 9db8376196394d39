package auth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"orderbell/internal/auth"
	"orderbell/internal/problem"
)

// provider is an identity provider that publishes its keys on a port of this machine.
type provider struct {
	*httptest.Server
	asked chan struct{} // one for each request, as it comes

	mu     sync.Mutex
	answer http.HandlerFunc
}

func newProvider(t *testing.T, keys ...key) *provider {
	t.Helper()
	p := &provider{asked: make(chan struct{}, 10_000)}
	p.publish(t, keys...)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked <- struct{}{}
		p.mu.Lock()
		answer := p.answer
		p.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) serve(answer http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

func (p *provider) publish(t *testing.T, keys ...key) {
	t.Helper()
	set := []any{map[string]string{"kty": "of tomorrow", "kid": "x"}, map[string]string{"kty": "RSA", "kid": "y", "n": "!"}}
	for _, k := range keys {
		set = append(set, k.public())
	}
	body, err := json.Marshal(map[string]any{"keys": set})
	if err != nil {
		t.Fatal(err)
	}
	p.serve(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
}

func (p *provider) fail(status int, body string) {
	p.serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); _, _ = w.Write([]byte(body)) })
}

// answers waits until n more requests have arrived. When the second arrives, the first answer has been applied.
func (p *provider) answers(t *testing.T, n int) {
	t.Helper()
	for len(p.asked) > 0 { // earlier requests
		<-p.asked
	}
	for range n {
		select {
		case <-p.asked:
		case <-time.After(time.Minute):
			t.Fatal("the keys are no longer fetched")
		}
	}
}

// verifier returns a verifier that fetches its keys every so often, and for unknown keys at least apart after the last fetch.
func (p *provider) verifier(t *testing.T, every, apart time.Duration) *auth.Verifier {
	t.Helper()
	cfg := config()
	cfg.DevSecret, cfg.JWKSURL = "", p.URL
	cfg.KeysEvery, cfg.KeysApart = every, apart
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	v, err := auth.NewVerifier(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// key is a key of a provider. Its id may be empty.
type key struct {
	id, use string
	private *ecdsa.PrivateKey
}

func newKey(t *testing.T, id string) key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key{id: id, use: "sig", private: private}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (k key) public() map[string]string {
	point, err := k.private.PublicKey.Bytes() // 0x04, x, y
	if err != nil {
		panic(err)
	}
	jwk := map[string]string{"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:]), "use": k.use}
	if k.id != "" {
		jwk["kid"] = k.id
	}
	return jwk
}

// token signs the claims of a valid token with k.
func (k key) token(t *testing.T) string {
	t.Helper()
	signed := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"sub": "u1", "tenant_id": "demo", "roles": "owner", "iss": "orderbell", "aud": "orderbell", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	})
	if k.id != "" {
		signed.Header["kid"] = k.id
	}
	s, err := signed.SignedString(k.private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// status returns the status and the text of an API's answer to the bearer of the token.
func status(t *testing.T, v *auth.Verifier, token string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	_, err := v.Authenticate(r)
	if err == nil {
		return http.StatusOK, ""
	}
	refused, ok := err.(*problem.Problem) //nolint:errorlint // as it is written
	if !ok {
		return 0, err.Error()
	}
	return refused.Status, refused.Detail
}

func expect(t *testing.T, v *auth.Verifier, what, token string, want int) {
	t.Helper()
	if got, why := status(t, v, token); got != want {
		t.Errorf("%s: status %d (%s), want %d", what, got, why, want)
	}
}

const never = time.Hour // in a test

func TestKeysOfAProvider(t *testing.T) {
	t.Parallel()
	t.Run("the first token of a new key has it fetched, and a removed key is refused then", func(t *testing.T) {
		t.Parallel()
		old, next := newKey(t, "old"), newKey(t, "next")
		p := newProvider(t, old)
		v := p.verifier(t, never, never)
		expect(t, v, "a token of the key", old.token(t), http.StatusOK)
		p.publish(t, next)
		expect(t, v, "a token of the new key", next.token(t), http.StatusOK)
		expect(t, v, "a token of the old key", old.token(t), http.StatusUnauthorized)
	})
	t.Run("a removed key is refused without a token of a new one", func(t *testing.T) {
		t.Parallel()
		old, next := newKey(t, "old"), newKey(t, "next")
		p := newProvider(t, old, next)
		v := p.verifier(t, 5*time.Millisecond, never)
		expect(t, v, "a token of the key", old.token(t), http.StatusOK)
		p.publish(t, next)
		p.answers(t, 3)
		expect(t, v, "a token of the old key", old.token(t), http.StatusUnauthorized)
		expect(t, v, "a token of the remaining key", next.token(t), http.StatusOK)
	})
	t.Run("another key of the same id is refused", func(t *testing.T) {
		t.Parallel()
		v := newProvider(t, newKey(t, "one")).verifier(t, never, never)
		expect(t, v, "a token of a foreign key", newKey(t, "one").token(t), http.StatusUnauthorized)
	})
	t.Run("a token without a key id is checked with every key", func(t *testing.T) {
		t.Parallel()
		mine := newKey(t, "")
		v := newProvider(t, newKey(t, "one"), mine).verifier(t, never, never)
		expect(t, v, "a token without kid", mine.token(t), http.StatusOK)
		expect(t, v, "a stranger's", newKey(t, "").token(t), http.StatusUnauthorized)
	})
	t.Run("a key for encryption verifies no token", func(t *testing.T) {
		t.Parallel()
		k := newKey(t, "enc")
		k.use = "enc"
		v := newProvider(t, k).verifier(t, never, never)
		expect(t, v, "its token", k.token(t), http.StatusUnauthorized)
	})
}

func TestAProviderThatIsDown(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]func(*provider){
		"an error":             func(p *provider) { p.fail(http.StatusInternalServerError, "") },
		"an error page":        func(p *provider) { p.fail(http.StatusOK, "<html>be right back</html>") },
		"an error in JSON":     func(p *provider) { p.fail(http.StatusOK, `{"error":"be right back"}`) },
		"a connection cut off": func(p *provider) { p.serve(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }) },
	} {
		t.Run(name+" keeps the known keys", func(t *testing.T) {
			t.Parallel()
			known, next := newKey(t, "known"), newKey(t, "next")
			p := newProvider(t, known)
			v := p.verifier(t, 5*time.Millisecond, 0)
			expect(t, v, "before", known.token(t), http.StatusOK)
			down(p)
			// The next token has the keys fetched, so that the failure has been seen.
			expect(t, v, "a key that may be valid", next.token(t), http.StatusServiceUnavailable)
			expect(t, v, "a key that is known", known.token(t), http.StatusOK)
			p.publish(t, known, next)
			expect(t, v, "the next key, once the provider is back", next.token(t), http.StatusOK)
		})
	}
	t.Run("from the start no valid token is rejected", func(t *testing.T) {
		t.Parallel()
		k, nameless := newKey(t, "k"), newKey(t, "")
		p := newProvider(t)
		p.fail(http.StatusServiceUnavailable, "")
		v := p.verifier(t, never, 0)
		expect(t, v, "a token", k.token(t), http.StatusServiceUnavailable)
		expect(t, v, "a token without kid", nameless.token(t), http.StatusServiceUnavailable)
		expect(t, v, "a text that is not a token", "x", http.StatusUnauthorized)
		p.publish(t, k, nameless)
		expect(t, v, "a token without kid, once the provider is there", nameless.token(t), http.StatusOK)
		expect(t, v, "a token, once the provider is there", k.token(t), http.StatusOK)
	})
	t.Run("a program starts without the answer of the provider, and requests wait for it", func(t *testing.T) {
		t.Parallel()
		k := newKey(t, "k")
		p := newProvider(t, k)
		ready := p.answer
		begun := make(chan struct{})
		p.serve(func(w http.ResponseWriter, r *http.Request) { <-begun; ready(w, r) })
		v := p.verifier(t, never, never)
		close(begun)
		expect(t, v, "the first token", k.token(t), http.StatusOK)
	})
}

func TestStrangersDoNotLoadTheProvider(t *testing.T) {
	t.Parallel()
	known := newKey(t, "known")
	p := newProvider(t, known)
	v := p.verifier(t, never, never)
	const strangers = 50
	var group sync.WaitGroup
	for i := range strangers {
		token := newKey(t, fmt.Sprint("stranger ", i)).token(t)
		group.Go(func() { expect(t, v, "a token of no key", token, http.StatusUnauthorized) })
	}
	group.Wait()
	expect(t, v, "a token of the key", known.token(t), http.StatusOK)
	// Once at the start, and once for all of the requests.
	for range 2 {
		<-p.asked
	}
	if more := len(p.asked); more != 0 {
		t.Errorf("the provider was asked %d times for %d tokens, want 1", 1+more, strangers)
	}
}

// A public key is not a secret: a token signed with it is rejected, whatever algorithm it names.
func TestAlgorithmsOfAProvider(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	k := newKey(t, "ec")
	p := newProvider(t, k)
	good := p.answer
	p.serve(func(w http.ResponseWriter, r *http.Request) {
		var answer bytes.Buffer
		recorder := httptest.NewRecorder()
		good(recorder, r)
		answer.WriteString(strings.Replace(recorder.Body.String(), `{"keys":[`,
			`{"keys":[{"kty":"oct","kid":"oct","k":"`+encode([]byte(secret))+`","alg":"HS256"},{"kty":"RSA","kid":"rsa","alg":"RS256","e":"AQAB","n":"`+
				encode(private.N.Bytes())+`"},`, 1))
		_, _ = w.Write(answer.Bytes())
	})
	v := p.verifier(t, never, never)
	sign := func(method jwt.SigningMethod, id string, with any) string {
		token := jwt.NewWithClaims(method, jwt.MapClaims{
			"sub": "u1", "tenant_id": "demo", "iss": "orderbell", "aud": "orderbell", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		})
		token.Header["kid"] = id
		s, err := token.SignedString(with)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	expect(t, v, "RS256 with its key", sign(jwt.SigningMethodRS256, "rsa", private), http.StatusOK)
	expect(t, v, "another algorithm than the key's", sign(jwt.SigningMethodPS256, "rsa", private), http.StatusUnauthorized)
	expect(t, v, "a shared secret that is published", sign(jwt.SigningMethodHS256, "oct", []byte(secret)), http.StatusUnauthorized)
	expect(t, v, "a public key as a secret", sign(jwt.SigningMethodHS256, "rsa", private.N.Bytes()), http.StatusUnauthorized)
	expect(t, v, "the key of another kind", sign(jwt.SigningMethodRS256, "ec", private), http.StatusUnauthorized)
	expect(t, v, "no algorithm at all", sign(jwt.SigningMethodNone, "ec", jwt.UnsafeAllowNoneSignatureType), http.StatusUnauthorized)
}
