package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"orderbell/internal/text"
	"orderbell/internal/user"
)

// issuer verifies the tokens of one issuer, only with that issuer's keys and algorithms. A key of another issuer never
// verifies its tokens.
type issuer struct {
	cfg    Config
	keys   jwt.Keyfunc
	set    *keySet // nil: a secret
	parser *jwt.Parser
}

func newIssuer(cfg Config, methods []string, keys jwt.Keyfunc) *issuer {
	return &issuer{
		cfg: cfg, keys: strictHeader(keys),
		parser: jwt.NewParser(jwt.WithValidMethods(methods), jwt.WithExpirationRequired(), jwt.WithIssuer(cfg.Issuer),
			jwt.WithAudience(cfg.Audience), jwt.WithLeeway(cfg.Leeway), jwt.WithIssuedAt()),
	}
}

// issuers returns the issuers whose tokens are accepted, the one of AUTH_ISSUER first.
func (c Config) issuers(ctx context.Context) ([]*issuer, error) {
	var all []*issuer
	switch {
	case c.JWKSURL != "" && c.DevSecret != "":
		return nil, errors.New("AUTH_JWKS_URL and AUTH_DEV_SECRET are both set, want one")
	case c.DevIssuer != "" && c.DevSecret == "":
		return nil, errors.New("AUTH_DEV_ISSUER is set without AUTH_DEV_SECRET: it is for development only")
	case c.JWKSURL != "":
		first, err := c.provider(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, first)
	case len(c.DevSecret) >= 32:
		secret := []byte(c.DevSecret)
		all = append(all, newIssuer(c, []string{"HS256"}, func(*jwt.Token) (any, error) { return secret, nil }))
	default:
		return nil, errors.New("AUTH_JWKS_URL is not set (nor AUTH_DEV_SECRET, which wants at least 32 bytes)")
	}
	if c.DevIssuer != "" {
		dev := c
		dev.Issuer, dev.JWKSURL = c.DevIssuer, strings.TrimSuffix(c.DevIssuer, "/")+"/keys"
		second, err := dev.provider(ctx)
		if err != nil {
			return nil, fmt.Errorf("AUTH_DEV_ISSUER: %w", err)
		}
		all = append(all, second)
	}
	for i, a := range all {
		for _, b := range all[:i] {
			if a.cfg.Issuer == b.cfg.Issuer {
				return nil, fmt.Errorf("two issuers of tokens have the name %q: choose another AUTH_ISSUER", a.cfg.Issuer)
			}
		}
	}
	return all, nil
}

// provider returns the issuer that publishes its keys at the JWKS URL.
func (c Config) provider(ctx context.Context) (*issuer, error) {
	set, err := newKeySet(ctx, c)
	if err != nil {
		return nil, err
	}
	keys, err := keyfunc.New(keyfunc.Options{Ctx: ctx, Storage: set})
	if err != nil {
		return nil, fmt.Errorf("AUTH_JWKS_URL %s: %w", c.JWKSURL, err)
	}
	methods := []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
	i := newIssuer(c, methods, keys.Keyfunc)
	i.set = set
	return i, nil
}

// of returns the issuer that the token names, otherwise the first one, whose check then returns the error. The name is
// not verified yet; it only selects the keys.
func (v *Verifier) of(token string) *issuer {
	if len(v.issuers) == 1 {
		return v.issuers[0]
	}
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err == nil {
		for _, i := range v.issuers {
			if claims["iss"] == i.cfg.Issuer {
				return i
			}
		}
	}
	return v.issuers[0]
}

// claimsError refuses a token with a valid signature.
type claimsError struct {
	error
	who Principal // what the claims say as far as they can be read, for the audit trail alone
}

func (e *claimsError) Unwrap() error { return e.error }

// verify returns the token's principal.
func (i *issuer) verify(token string) (Principal, error) {
	claims := jwt.MapClaims{}
	// The parser checks the claims after it has verified the signature.
	parsed, err := i.parser.ParseWithClaims(token, claims, i.keys)
	if err != nil && !errors.Is(err, jwt.ErrTokenInvalidClaims) {
		return Principal{}, reason(err)
	}
	p, wrong := i.read(claims)
	switch {
	case err != nil:
		err = reason(err)
	case !parsed.Valid:
		return Principal{}, reason(nil)
	default:
		if err = i.cfg.strictClaims(token, claims, time.Now()); err == nil {
			err = wrong
		}
	}
	if err != nil {
		return Principal{}, &claimsError{err, p}
	}
	return p, nil
}

// Subject returns the user id of a token's subject: a UUID in lower case, as the row and revocations have it, however the provider
// writes it. Other subjects do not change.
func Subject(claim string) string {
	if lower := strings.ToLower(claim); user.IsID(lower) {
		return lower
	}
	return claim
}

// read returns the principal of the claims and, if they are invalid, the error as well.
func (i *issuer) read(claims jwt.MapClaims) (Principal, error) {
	p := Principal{Roles: i.cfg.roles(claims)}
	p.UserID, _ = find(claims, i.cfg.UserClaim).(string)
	p.UserID = Subject(p.UserID)
	p.TokenID, _ = claims["jti"].(string)
	if verified, _ := claims["email_verified"].(bool); verified { // OpenID Connect Core 1.0, section 5.1
		p.VerifiedEmail, _ = claims["email"].(string)
	}
	if exp, err := claims.GetExpirationTime(); err == nil && exp != nil {
		p.Expires = exp.Time
	}
	if iat, err := claims.GetIssuedAt(); err == nil && iat != nil {
		p.Issued = iat.Add(-i.cfg.Leeway)
	}
	var wrong error
	if p.UserID == "" || len(p.UserID) > 255 {
		p.UserID, wrong = "", fmt.Errorf("the token's claim %s is missing or longer than 255 bytes: correct the identity provider, or AUTH_USER_CLAIM", i.cfg.UserClaim)
	} else if fault := text.Fault(p.UserID); fault != "" { // it is part of events
		p.UserID, wrong = "", fmt.Errorf("the token's claim %s %s: correct the identity provider", i.cfg.UserClaim, fault)
	}
	tenant, err := i.cfg.tenant(claims)
	if err == nil {
		p.TenantID = tenant
	}
	return p, cmp.Or(wrong, err)
}
