package auth

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"orderbell/internal/problem"
)

// SenderConfig lists the allowed senders of events: in a cluster the service accounts of Knative's brokers and sources,
// on one machine every client with the secret.
type SenderConfig struct {
	Secret string `envconfig:"EVENT_SENDER_SECRET"` // at least 32 bytes

	Issuer    string   `envconfig:"EVENT_OIDC_ISSUER"`
	Audience  string   `envconfig:"EVENT_OIDC_AUDIENCE"`
	Subjects  []string `envconfig:"EVENT_OIDC_SUBJECTS"` // system:serviceaccount:NAMESPACE:NAME
	JWKSURL   string   `envconfig:"EVENT_OIDC_JWKS_URL" default:"https://kubernetes.default.svc/openid/v1/jwks"`
	TokenFile string   `envconfig:"EVENT_OIDC_TOKEN_FILE"` // our own token, for reading the keys from the API server
	CAFile    string   `envconfig:"EVENT_OIDC_CA_FILE"`    // PEM

	Log *slog.Logger `ignored:"true"` // nil: none
}

const (
	senderLeeway    = 30 * time.Second
	senderKeysEvery = 5 * time.Minute
	senderKeysApart = 2 * time.Second // shorter than the broker's retries in total
	senderKeyIdle   = time.Minute
)

// Senders checks who sent an event. It is safe for concurrent use.
type Senders struct {
	secret   []byte // nil: tokens of service accounts
	set      *keySet
	keys     jwt.Keyfunc
	parser   *jwt.Parser
	subjects []string
}

// NewSenders returns the check of cfg. In a cluster it fetches the issuer's keys in the background until ctx ends.
func NewSenders(ctx context.Context, cfg SenderConfig) (*Senders, error) {
	if cfg.Secret != "" {
		switch {
		case cfg.Issuer != "" || cfg.Audience != "" || len(cfg.Subjects) > 0:
			return nil, errors.New("EVENT_SENDER_SECRET and EVENT_OIDC_* are both set, want one")
		case len(cfg.Secret) < 32:
			return nil, errors.New("EVENT_SENDER_SECRET has fewer than 32 bytes")
		}
		return &Senders{secret: []byte(cfg.Secret)}, nil
	}
	switch {
	case cfg.Issuer == "" && cfg.Audience == "" && len(cfg.Subjects) == 0:
		return nil, errors.New("neither EVENT_OIDC_ISSUER nor EVENT_SENDER_SECRET is set: anyone could send events")
	case cfg.Issuer == "":
		return nil, errors.New("EVENT_OIDC_ISSUER is empty: tokens of any issuer would be accepted")
	case cfg.Audience == "":
		return nil, errors.New("EVENT_OIDC_AUDIENCE is empty: tokens for other programs would be accepted")
	case len(cfg.Subjects) == 0 || slices.Contains(cfg.Subjects, ""):
		return nil, errors.New("EVENT_OIDC_SUBJECTS is empty or names an empty subject: want system:serviceaccount:NAMESPACE:NAME")
	}
	set, err := cfg.keySet(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := keyfunc.New(keyfunc.Options{Ctx: ctx, Storage: set})
	if err != nil {
		return nil, fmt.Errorf("EVENT_OIDC_JWKS_URL %s: %w", cfg.JWKSURL, err)
	}
	return &Senders{
		set: set, keys: strictHeader(keys.Keyfunc), subjects: cfg.Subjects,
		parser: jwt.NewParser(jwt.WithValidMethods([]string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"}),
			jwt.WithExpirationRequired(), jwt.WithIssuer(cfg.Issuer), jwt.WithAudience(cfg.Audience), jwt.WithLeeway(senderLeeway),
			jwt.WithIssuedAt()),
	}, nil
}

// keySet fetches the keys from the API server with our own token. TLS is checked by the cluster's authority.
func (cfg SenderConfig) keySet(ctx context.Context) (*keySet, error) {
	if err := checkJWKSURL("EVENT_OIDC_JWKS_URL", cfg.JWKSURL); err != nil {
		return nil, err
	}
	s := newKeys(cfg.JWKSURL, senderKeysEvery, senderKeysApart, cfg.Log)
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("EVENT_OIDC_CA_FILE: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("EVENT_OIDC_CA_FILE %s has no certificate", cfg.CAFile)
		}
		s.client.Transport = &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, IdleConnTimeout: senderKeyIdle, ForceAttemptHTTP2: true,
		}
	}
	if cfg.TokenFile != "" {
		s.authorize = func(r *http.Request) error {
			token, err := os.ReadFile(cfg.TokenFile) // each time: Kubernetes renews it
			if err != nil {
				return fmt.Errorf("EVENT_OIDC_TOKEN_FILE: %w", err)
			}
			r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
			return nil
		}
	}
	go s.follow(ctx)
	return s, nil
}

// Check returns nil if a known sender made the request, otherwise the refusal.
//
// Knative's brokers retry 503 and make 401 and 403 a dead letter at once. So faults that a genuine broker may meet are
// answered 503: keys that cannot be fetched, a key that is newer than ours, a token that has just expired. Faults of
// the configuration are answered 401 or 403: the events become dead letters with this reason, and none is lost.
func (s *Senders) Check(r *http.Request) *problem.Problem {
	token, err := Bearer(r)
	if err != nil {
		return unknownSender("the header Authorization: Bearer is missing" + compare)
	}
	if s.secret != nil {
		if subtle.ConstantTimeCompare([]byte(token), s.secret) != 1 {
			return unknownSender("its secret is not the one of EVENT_SENDER_SECRET: set the same one for both programs")
		}
		return nil
	}
	claims := jwt.MapClaims{}
	if _, err := s.parser.ParseWithClaims(token, claims, s.keys); err != nil {
		if s.passing(err) {
			return problem.New(http.StatusServiceUnavailable, "the sender cannot be verified now: %s", senderReason(err))
		}
		return unknownSender(senderReason(err) + compare)
	}
	subject, _ := claims["sub"].(string)
	if !slices.Contains(s.subjects, subject) {
		return problem.New(http.StatusForbidden, "the sender %q may not send events to this function: add it to EVENT_OIDC_SUBJECTS if it should", subject)
	}
	return nil
}

// passing reports whether a later attempt may succeed. The signature was checked before the times.
func (s *Senders) passing(err error) bool {
	if errors.Is(err, errNoKey) || errors.Is(err, jwkset.ErrKeyNotFound) {
		return true
	}
	for _, wrong := range []error{jwt.ErrTokenInvalidAudience, jwt.ErrTokenInvalidIssuer, jwt.ErrTokenSignatureInvalid, jwt.ErrTokenMalformed} {
		if errors.Is(err, wrong) {
			return false
		}
	}
	return errors.Is(err, jwt.ErrTokenExpired) || errors.Is(err, jwt.ErrTokenNotValidYet) || errors.Is(err, jwt.ErrTokenUsedBeforeIssued)
}

// compare is what an operator does next.
const compare = "; compare EVENT_OIDC_* of the function with the cluster (docs/troubleshooting.md)"

func unknownSender(detail string) *problem.Problem {
	return problem.New(http.StatusUnauthorized, "the sender is unknown: %s", detail).With("WWW-Authenticate", "Bearer")
}
