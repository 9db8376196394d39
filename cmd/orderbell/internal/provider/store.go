package provider

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"orderbell/internal/user"
)

// errUnknown is an unknown or expired request, code or token.
var errUnknown = errors.New("this sign-in is unknown or has expired: begin again on the page")

// maxKept bounds each map. A full map is cleared.
const maxKept = 10_000

// store keeps what the provider has issued, in memory. It implements [op.Storage].
type store struct {
	cfg Config
	key signingKey

	mu       sync.Mutex
	requests map[string]*authorization // by id
	codes    map[string]string         // the id of a request by its code
	grants   map[string]*grant         // by refresh token
}

func newStore(cfg Config) (*store, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("key of the provider: %w", err)
	}
	return &store{
		cfg: cfg, key: signingKey{uuid.NewString(), key},
		requests: map[string]*authorization{}, codes: map[string]string{}, grants: map[string]*grant{},
	}, nil
}

func keep[T any](kept map[string]T, key string, value T) {
	if len(kept) >= maxKept {
		clear(kept)
	}
	kept[key] = value
}

// find returns the current row of the user with the id.
func (s *store) find(ctx context.Context, id string) (user.User, error) {
	businesses, err := s.cfg.Users(ctx)
	if err != nil {
		return user.User{}, err
	}
	for _, b := range businesses {
		for _, u := range b.Users {
			if u.ID == id {
				return u, nil
			}
		}
	}
	return user.User{}, errUnknown
}

// signIn sets the user of the request.
func (s *store) signIn(ctx context.Context, request, userID string) error {
	u, err := s.find(ctx, userID)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.requests[request]
	if !ok {
		return errUnknown
	}
	a.userID, a.signedIn = u.ID, time.Now()
	return nil
}

func (s *store) CreateAuthRequest(_ context.Context, asked *oidc.AuthRequest, userID string) (op.AuthRequest, error) {
	if asked.CodeChallenge == "" || asked.CodeChallengeMethod != oidc.CodeChallengeMethodS256 {
		return nil, oidc.ErrInvalidRequest().WithDescription("the client has no secret: it needs PKCE with S256")
	}
	a := &authorization{id: uuid.NewString(), asked: asked, audience: s.cfg.Audience, userID: userID, signedIn: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	keep(s.requests, a.id, a)
	return a, nil
}

func (s *store) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.requests[id]; ok {
		copied := *a
		return &copied, nil
	}
	return nil, errUnknown
}

func (s *store) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	s.mu.Lock()
	id := s.codes[code]
	delete(s.codes, code)
	s.mu.Unlock()
	return s.AuthRequestByID(ctx, id)
}

func (s *store) SaveAuthCode(_ context.Context, id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep(s.codes, code, id)
	return nil
}

func (s *store) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.requests, id)
	return nil
}

func (s *store) CreateAccessToken(context.Context, op.TokenRequest) (string, time.Time, error) {
	return uuid.NewString(), time.Now().Add(s.cfg.TokenLife), nil
}

// CreateAccessAndRefreshTokens implements [op.AuthStorage]. A refresh token can be used once.
func (s *store) CreateAccessAndRefreshTokens(ctx context.Context, request op.TokenRequest, current string) (string, string, time.Time, error) {
	id, expires, err := s.CreateAccessToken(ctx, request)
	if err != nil {
		return "", "", time.Time{}, err
	}
	fresh := &grant{userID: request.GetSubject(), clientID: ClientID, audience: request.GetAudience(), scopes: request.GetScopes()}
	if asked, ok := request.(interface{ GetAuthTime() time.Time }); ok { // a renewal keeps the time of the sign-in
		fresh.signedIn = asked.GetAuthTime()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if current != "" {
		if _, ok := s.grants[current]; !ok {
			return "", "", time.Time{}, op.ErrInvalidRefreshToken
		}
		delete(s.grants, current)
	}
	token := rand.Text()
	keep(s.grants, token, fresh)
	return id, token, expires, nil
}

func (s *store) TokenRequestByRefreshToken(_ context.Context, token string) (op.RefreshTokenRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g, ok := s.grants[token]; ok {
		copied := *g
		return &copied, nil
	}
	return nil, op.ErrInvalidRefreshToken
}

// TerminateSession implements [op.AuthStorage]. There is no session besides the tokens, and the page revokes the tokens. A
// user may be signed in with several browsers.
func (s *store) TerminateSession(context.Context, string, string) error { return nil }

func (s *store) RevokeToken(_ context.Context, token, _, _ string) *oidc.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.grants, token)
	return nil
}

func (s *store) GetRefreshTokenInfo(_ context.Context, _, token string) (userID, tokenID string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g, ok := s.grants[token]; ok {
		return g.userID, token, nil
	}
	return "", "", op.ErrInvalidRefreshToken
}

// signingKey signs the tokens of this process. It implements [op.SigningKey].
type signingKey struct {
	id  string
	key *ecdsa.PrivateKey
}

func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k signingKey) Key() any                                    { return k.key }
func (k signingKey) ID() string                                  { return k.id }

// publicKey implements [op.Key].
type publicKey struct{ of signingKey }

func (k publicKey) ID() string                         { return k.of.id }
func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.of.key.PublicKey }

func (s *store) SigningKey(context.Context) (op.SigningKey, error) { return s.key, nil }
func (s *store) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.ES256}, nil
}
func (s *store) KeySet(context.Context) ([]op.Key, error) { return []op.Key{publicKey{s.key}}, nil }

func (s *store) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if id != ClientID {
		return nil, errUnknown
	}
	return page{s.cfg.Page}, nil
}

// GetPrivateClaimsFromScopes returns the claims of an access token that Orderbell reads.
func (s *store) GetPrivateClaimsFromScopes(ctx context.Context, userID, _ string, _ []string) (map[string]any, error) {
	u, err := s.find(ctx, userID)
	if err != nil {
		return nil, err
	}
	return map[string]any{"tenant_id": u.TenantID, "roles": u.Roles, "name": u.Name, "email": u.Email}, nil
}

func (s *store) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, _, subject, _ string) error {
	u, err := s.find(ctx, subject)
	if err != nil {
		return err
	}
	info.Subject, info.Name, info.Email = u.ID, u.Name, u.Email
	return nil
}

// SetUserinfoFromScopes fills the ID token.
func (s *store) SetUserinfoFromScopes(ctx context.Context, info *oidc.UserInfo, userID, _ string, _ []string) error {
	return s.SetUserinfoFromToken(ctx, info, "", userID, "")
}

// The methods below belong to grants that the page does not use.

func (s *store) AuthorizeClientIDSecret(context.Context, string, string) error { return errUnknown }

func (s *store) SetIntrospectionFromToken(context.Context, *oidc.IntrospectionResponse, string, string, string) error {
	return errUnknown
}

func (s *store) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, errUnknown
}

func (s *store) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errUnknown
}
func (s *store) Health(context.Context) error { return nil }
