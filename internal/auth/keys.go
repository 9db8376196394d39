package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/MicahParks/jwkset"
)

const (
	// fetchTime bounds a fetch of keys. Requests with an unknown key wait for it.
	fetchTime = 5 * time.Second
	// maxKeySet bounds a provider's answer. Large ones have a dozen keys of about 2 KB, certificates included.
	maxKeySet = 1 << 20
)

// errNoKey says that a token's key is unknown and could not be fetched.
var errNoKey = errors.New("the keys of the identity provider cannot be loaded: try again in a second")

// keySet is the provider's key set at its JWKS URL (RFC 7517).
//
// It is fetched periodically in the background, so that a removed key is refused soon. A token with an unknown key
// causes a fetch at once, because providers may start to use a new key at any time. Such fetches have a minimum
// interval, so that forged tokens cause no load on the provider. The last fetched set is used until the next answer, so
// an outage of the provider locks no user out.
type keySet struct {
	jwkset.Storage // of the last answer

	url          string
	every, apart time.Duration
	client       http.Client
	authorize    func(*http.Request) error // nil: the keys are public
	log          *slog.Logger

	fetching sync.Mutex   // one fetch at a time; a waiting caller checks again before it fetches
	asked    time.Time    // guarded by fetching: time of the last fetch for a token
	failed   atomic.Bool  // the last fetch failed, or there was none yet
	fetches  atomic.Int64 // that succeeded

	fetchedAt atomic.Int64 // the last success, or the start, in nanoseconds since 1970
}

func newKeySet(ctx context.Context, cfg Config) (*keySet, error) {
	if err := checkJWKSURL("AUTH_JWKS_URL", cfg.JWKSURL); err != nil {
		return nil, err
	}
	if cfg.KeysEvery <= 0 || cfg.KeysApart < 0 {
		return nil, fmt.Errorf("AUTH_JWKS_REFRESH_INTERVAL is %s and AUTH_JWKS_MIN_INTERVAL is %s, want more than 0 and at least 0", cfg.KeysEvery, cfg.KeysApart)
	}
	s := newKeys(cfg.JWKSURL, cfg.KeysEvery, cfg.KeysApart, cfg.Log)
	go s.follow(ctx)
	return s, nil
}

func newKeys(url string, every, apart time.Duration, log *slog.Logger) *keySet {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &keySet{
		Storage: jwkset.NewMemoryStorage(), url: url, every: every, apart: apart, log: log,
		client: http.Client{
			Timeout: fetchTime,
			// A redirect could leave https, or the provider's own host.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	s.failed.Store(true)
	s.fetchedAt.Store(time.Now().UnixNano())
	return s
}

// follow fetches the keys until ctx ends.
func (s *keySet) follow(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	starting := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		s.fetching.Lock()
		if !starting || s.fetches.Load() == 0 { // a token may have been first
			s.fetch(ctx)
		}
		s.fetching.Unlock()
		starting = false
		timer.Reset(s.pause())
	}
}

// pause is the time until the next fetch in the background. It is short after a failed one.
func (s *keySet) pause() time.Duration {
	if s.failed.Load() {
		return min(s.every, max(s.apart, time.Second))
	}
	return s.every
}

// KeyRead returns the key with the id, for [keyfunc].
func (s *keySet) KeyRead(ctx context.Context, id string) (jwkset.JWK, error) {
	if key, err := s.Storage.KeyRead(ctx, id); err == nil {
		return key, nil
	}
	s.ask(ctx, func() bool { _, err := s.Storage.KeyRead(ctx, id); return err == nil })
	key, err := s.Storage.KeyRead(ctx, id)
	if err != nil && s.failed.Load() {
		return jwkset.JWK{}, errNoKey
	}
	return key, err
}

// KeyReadAll returns every key, for a token that does not say which is its own.
func (s *keySet) KeyReadAll(ctx context.Context) ([]jwkset.JWK, error) {
	there := func() bool { return s.fetches.Load() > 0 }
	if !there() {
		s.ask(ctx, there)
	}
	if !there() {
		return nil, errNoKey
	}
	return s.Storage.KeyReadAll(ctx)
}

// ask fetches the keys for a token, unless another request has just done so.
func (s *keySet) ask(ctx context.Context, there func() bool) {
	s.fetching.Lock()
	defer s.fetching.Unlock()
	if there() || !s.asked.IsZero() && time.Since(s.asked) < s.apart {
		return
	}
	first := s.fetches.Load() == 0
	s.fetch(ctx)
	if !first || s.failed.Load() { // the first fetch does not count
		s.asked = time.Now() // the end of the fetch, so that a slow provider is not asked more often
	}
}

// fetch replaces the keys by the provider's current ones. If it fails, they do not change.
func (s *keySet) fetch(ctx context.Context) {
	keys, err := s.get(ctx)
	if err == nil {
		err = s.KeyReplaceAll(ctx, keys)
	}
	if ctx.Err() != nil {
		return
	}
	s.failed.Store(err != nil)
	if err != nil {
		s.log.ErrorContext(ctx, "keys of the identity provider not fetched", "url", s.url, "err", err)
		return
	}
	s.fetches.Add(1)
	s.fetchedAt.Store(time.Now().UnixNano())
}

func (s *keySet) get(ctx context.Context) ([]jwkset.JWK, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	if s.authorize != nil {
		if err := s.authorize(req); err != nil {
			return nil, err
		}
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // only read
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s", res.Status)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxKeySet)).Decode(&set); err != nil {
		return nil, fmt.Errorf("read key set: %w", err)
	}
	if set.Keys == nil { // a JSON error page, not an empty key set
		return nil, errors.New("the answer is not a key set: it has no member keys")
	}
	var keys []jwkset.JWK
	for _, raw := range set.Keys {
		key, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{Private: true}, jwkset.JWKValidateOptions{})
		if err != nil {
			// Unknown kinds of keys are ignored (RFC 7517 §5).
			s.log.WarnContext(ctx, "key of the identity provider ignored", "url", s.url, "err", err)
			continue
		}
		if is := key.Marshal(); is.USE == jwkset.UseEnc || is.KTY == jwkset.KtyOct {
			continue // not for signatures, or not a public key
		}
		if weak(key.Key()) {
			s.log.WarnContext(ctx, "key of the identity provider ignored: RSA keys need 2048 bits or more", "url", s.url, "kid", key.Marshal().KID)
			continue
		}
		keys = append(keys, key)
	}
	return keys, nil
}
