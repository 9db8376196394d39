// Package auth verifies the JWTs of users and tills: identity, tenant and roles.
//
// A token is verified by the keys of a JWKS URL or, in development, by a shared secret. Algorithms are pinned by the
// issuer, so a token can never choose its own check (RFC 8725 §3.1).
package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"orderbell/internal/problem"
	"orderbell/internal/server"
	"orderbell/internal/text"
	"orderbell/internal/user"
)

// Config says how tokens are verified. Exactly one of JWKSURL and DevSecret is set.
type Config struct {
	JWKSURL   string `envconfig:"AUTH_JWKS_URL"`
	DevSecret string `envconfig:"AUTH_DEV_SECRET"` // HS256, at least 32 bytes; never in production
	DevIssuer string `envconfig:"AUTH_DEV_ISSUER"` // the provider of orderbell dev, beside the secret; its keys are at /keys
	Issuer    string `envconfig:"AUTH_ISSUER" default:"orderbell"`
	Audience  string `envconfig:"AUTH_AUDIENCE" default:"orderbell"`

	// Names of claims, which differ between providers. A name may be a dotted path.
	UserClaim   string    `envconfig:"AUTH_USER_CLAIM" default:"sub"` // the user_id of a user
	TenantClaim string    `envconfig:"AUTH_TENANT_CLAIM" default:"tenant_id"`
	Tenant      string    `envconfig:"AUTH_TENANT"` // the only tenant that the provider may issue tokens for; "": any
	RolesClaim  string    `envconfig:"AUTH_ROLES_CLAIM" default:"roles"`
	RoleNames   RoleNames `envconfig:"AUTH_ROLE_NAMES"` // theirs:ours,…

	Leeway time.Duration `envconfig:"AUTH_LEEWAY" default:"30s"`
	// MaxLifetime is from a token's issue to its end. 0 stands for 24h.
	MaxLifetime time.Duration `envconfig:"AUTH_MAX_LIFETIME" default:"24h"`
	KeysEvery   time.Duration `envconfig:"AUTH_JWKS_REFRESH_INTERVAL" default:"5m"` // how long a removed key is still accepted
	KeysApart   time.Duration `envconfig:"AUTH_JWKS_MIN_INTERVAL" default:"10s"`    // shortest interval of fetches because of unknown keys

	Log *slog.Logger `ignored:"true"` // for errors of the provider; nil: no log
}

// Principal is the holder of a verified token.
type Principal struct {
	UserID   string // the claim of AUTH_USER_CLAIM
	TenantID string
	Roles    []user.Role
	Expires  time.Time
	Issued   time.Time // when it was issued at the earliest: the claim iat less AUTH_LEEWAY, since the issuer's clock may be ahead
	TokenID  string    // the claim jti, "" if the token has none

	Checked time.Time // when the roles were read from the database, zero if they are the token's
	Service bool      // whether it is a configured service account
	Device  string    // SHA-256 of a paired device's secret in hexadecimal digits; "" of everyone else

	VerifiedEmail string // the claim email, if the claim email_verified is true; else empty
}

// Actor names p in the audit trail.
func (p Principal) Actor() string {
	switch {
	case p.Device != "":
		return "device:" + p.UserID
	case p.Service:
		return "service:" + p.UserID
	}
	return "user:" + p.UserID
}

// Rights returns the current rights of a token's holder.
type Rights interface {
	// Current returns p with the current roles. Its error is a *[problem.Problem], or is Temporary if the roles cannot
	// be read now.
	Current(ctx context.Context, p Principal) (Principal, error)
	// Refused records a refused request for the audit trail. It must not block.
	Refused(what user.Record)
}

// Has reports whether p has one of the roles.
func (p Principal) Has(roles ...user.Role) bool { return user.HasAny(p.Roles, roles) }

// Verifier checks tokens. It is safe for concurrent use.
type Verifier struct {
	cfg     Config
	issuers []*issuer // at least one
	rights  Rights    // nil: the token's roles are used
	shares  Shares    // nil: requests are not bounded
}

// With returns a verifier of the same tokens that uses current rights.
func (v *Verifier) With(rights Rights) *Verifier {
	with := *v
	with.rights = rights
	return &with
}

// Shares bounds the concurrent requests of a tenant.
type Shares interface {
	// Enter waits for the request's turn and returns the function to call at its end. Its error is a
	// *[problem.Problem], or that of ctx.
	Enter(ctx context.Context, tenantID string) (leave func(), err error)
}

// Sharing returns a verifier of the same tokens that bounds the concurrent requests of a tenant by shares.
func (v *Verifier) Sharing(shares Shares) *Verifier {
	with := *v
	with.shares = shares
	return &with
}

// NewVerifier returns a verifier that refreshes its keys in the background until ctx ends. It does not wait for the
// JWKS URL. Tokens are refused until the keys have been fetched.
func NewVerifier(ctx context.Context, cfg Config) (*Verifier, error) {
	v := &Verifier{cfg: cfg}
	if v.cfg.UserClaim == "" {
		v.cfg.UserClaim = "sub"
	}
	if err := v.cfg.checkStrict(); err != nil {
		return nil, err
	}
	if cfg.Tenant != "" && !user.IsTenantID(cfg.Tenant) {
		return nil, fmt.Errorf("AUTH_TENANT is %q, which names no tenant", cfg.Tenant)
	}
	if err := cfg.RoleNames.check(); err != nil {
		return nil, fmt.Errorf("AUTH_ROLE_NAMES: %w", err)
	}
	var err error
	v.issuers, err = v.cfg.issuers(ctx)
	return v, err
}

// Verify returns the token's principal, or an error whose text may be shown to the client. It only reads the token of a
// device: its principal has no roles before [Rights] has found the secret.
func (v *Verifier) Verify(token string) (Principal, error) {
	if p, is, err := device(token); is {
		return p, err
	}
	return v.of(token).verify(token)
}

type contextKey struct{}

// Who returns the principal of a request that passed [Verifier.Require].
func Who(r *http.Request) (Principal, error) {
	p, ok := r.Context().Value(contextKey{}).(Principal)
	if !ok {
		return Principal{}, errors.New("the request was not authenticated")
	}
	return p, nil
}

// Bearer returns the request's token, or a 401 problem by RFC 6750.
func Bearer(r *http.Request) (string, error) {
	if len(r.Header.Values("Authorization")) > 1 { // the next program might take the other one
		return "", problem.New(http.StatusUnauthorized, "the header Authorization must occur once: send one token").
			With("WWW-Authenticate", `Bearer error="invalid_request"`)
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", problem.New(http.StatusUnauthorized, "the header Authorization: Bearer is missing: send a token").
			With("WWW-Authenticate", "Bearer")
	}
	return token, nil
}

// InvalidToken returns the 401 of a bearer whose token is refused (RFC 6750, section 3.1).
func InvalidToken(detail string) *problem.Problem {
	return problem.New(http.StatusUnauthorized, "%s", detail).With("WWW-Authenticate", `Bearer error="invalid_token"`)
}

// Authenticate returns the request's principal with current rights, or a 401 problem; 503 while the token's key cannot
// be fetched.
func (v *Verifier) Authenticate(r *http.Request) (Principal, error) {
	token, err := Bearer(r)
	if err != nil {
		return Principal{}, err
	}
	p, err := v.Verify(token)
	if errors.Is(err, errNoKey) { // the token may be valid, so its holder should keep it
		return Principal{}, problem.New(http.StatusServiceUnavailable, "%s", err).With("Retry-After", "1")
	}
	if err != nil {
		var claims *claimsError
		if errors.As(err, &claims) {
			p = claims.who
		}
		refusal := InvalidToken(err.Error())
		v.Refused(r, p, refusal)
		return Principal{}, refusal
	}
	if v.rights == nil && p.Device != "" { // nothing here can check the secret
		return Principal{}, InvalidToken(ErrDevice.Error())
	}
	if v.rights == nil {
		return p, nil
	}
	current, err := v.rights.Current(r.Context(), p)
	if err != nil {
		v.Refused(r, p, err)
	}
	return current, err
}

// The actions of the audit trail that are refused here.
const (
	signIn  = "sign_in" // the token is not accepted
	request = "request" // the user may not do what they ask for
)

// Refused records a request that err refuses with 401 or 403 in the audit trail. P is the caller if the token's signature is
// valid.
func (v *Verifier) Refused(r *http.Request, p Principal, err error) {
	var refusal *problem.Problem
	if v == nil || v.rights == nil || !errors.As(err, &refusal) {
		return
	}
	what := user.Record{TenantID: p.TenantID, Address: server.ClientAddress(r), Action: signIn, Outcome: user.Refused, Detail: refusal.Detail}
	switch refusal.Status {
	case http.StatusUnauthorized:
	case http.StatusForbidden:
		what.Action, what.Detail = request, r.Method+" "+r.Pattern+": "+refusal.Detail
	default:
		return
	}
	if p.UserID != "" {
		what.Actor = p.Actor()
	}
	if what.TenantID == "" {
		what.TenantID = user.NoTenant
	}
	v.rights.Refused(what)
}

// Require passes a request to next if its token has one of the roles. Otherwise it answers 401 for an invalid token and 403 for a
// missing role.
func (v *Verifier) Require(roles []user.Role, next http.Handler) http.Handler {
	return problem.Handler(v.log(), func(w http.ResponseWriter, r *http.Request) error {
		p, err := v.Authenticate(r)
		if err != nil {
			return err
		}
		if !p.Has(roles...) {
			err := problem.New(http.StatusForbidden, "this request needs one of the roles %s", text.List(roles))
			v.Refused(r, p, err)
			return err
		}
		if v.shares != nil {
			leave, err := v.shares.Enter(r.Context(), p.TenantID)
			if err != nil {
				return err
			}
			defer leave()
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, p)))
		return nil
	})
}

func (v *Verifier) log() *slog.Logger {
	if v == nil || v.cfg.Log == nil { // nil: for the list of routes alone
		return slog.New(slog.DiscardHandler)
	}
	return v.cfg.Log
}

// Sign returns a token for p, signed with the development secret.
func (c Config) Sign(p Principal, now time.Time) (string, error) {
	if len(c.DevSecret) < 32 {
		return "", errors.New("AUTH_DEV_SECRET has fewer than 32 bytes")
	}
	claims := jwt.MapClaims{
		"sub": p.UserID, c.TenantClaim: p.TenantID, c.RolesClaim: p.Roles, "iss": c.Issuer, "aud": c.Audience,
		"iat": now.Unix(), "exp": p.Expires.Unix(), "jti": p.TokenID,
	}
	if p.VerifiedEmail != "" {
		claims["email"], claims["email_verified"] = p.VerifiedEmail, true
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(c.DevSecret))
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}
