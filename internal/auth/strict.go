package auth

import (
	"cmp"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"orderbell/internal/strictjson"
)

const (
	maxLeeway       = 2 * time.Minute
	usualLifetime   = 24 * time.Hour
	longestLifetime = 7 * 24 * time.Hour
	// minRSA is the minimum of RFC 7518 §3.3.
	minRSA = 2048
)

var (
	// errCritical refuses critical headers (RFC 7515 §4.1.11), of which none is supported.
	errCritical = errors.New("the token's header has the member crit, but no extension is supported: correct the identity provider")
	// errNotText refuses a token that two parsers may read differently (RFC 7519 §7.2).
	errNotText = errors.New("the token's header or claims are not UTF-8: correct the identity provider")
	// errNoIssue refuses a token without a time of issue: it cannot be compared with a revocation of its user, and its lifetime is
	// unknown (RFC 9068 §2.2 requires the claim in access tokens).
	errNoIssue = errors.New("the token has no claim iat, the time of its issue: correct the identity provider")
)

// checkStrict refuses a configuration that disables a check. A variable that is set but empty, such as from a missing
// key of a Secret, is an error.
func (c *Config) checkStrict() error {
	c.MaxLifetime = cmp.Or(c.MaxLifetime, usualLifetime)
	switch {
	case c.Issuer == "":
		return errors.New("AUTH_ISSUER is empty: tokens of any issuer would be accepted")
	case c.Audience == "":
		return errors.New("AUTH_AUDIENCE is empty: no token could be accepted")
	case c.TenantClaim == "" && c.Tenant == "":
		return errors.New("AUTH_TENANT_CLAIM is empty: no token could name its tenant")
	case c.RolesClaim == "":
		return errors.New("AUTH_ROLES_CLAIM is empty: no token could name roles")
	case c.Leeway < 0 || c.Leeway > maxLeeway:
		return fmt.Errorf("AUTH_LEEWAY is %s, want 0s to %s", c.Leeway, maxLeeway)
	case c.MaxLifetime < time.Minute || c.MaxLifetime > longestLifetime:
		return fmt.Errorf("AUTH_MAX_LIFETIME is %s, want 1m to %s", c.MaxLifetime, longestLifetime)
	}
	return nil
}

// strictHeader checks a token's header before its key is looked up.
func strictHeader(keys jwt.Keyfunc) jwt.Keyfunc {
	return func(t *jwt.Token) (any, error) {
		if _, ok := t.Header["crit"]; ok {
			return nil, errCritical
		}
		return keys(t)
	}
}

// strictClaims has the checks that the parser does not do.
func (c Config) strictClaims(token string, claims jwt.MapClaims, now time.Time) error {
	header, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	for _, part := range []string{header, payload} {
		text, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || !utf8.Valid(text) {
			return errNotText
		}
		if fault := strictjson.Check(text, nil); fault != nil {
			return fmt.Errorf("the token's member %w: correct the identity provider", fault)
		}
	}
	exp, err := claims.GetExpirationTime()
	if err != nil || exp == nil {
		return reason(jwt.ErrTokenRequiredClaimMissing)
	}
	iat, err := claims.GetIssuedAt()
	if err != nil || iat == nil {
		return errNoIssue
	}
	since := now
	if iat.Before(now) {
		since = iat.Time
	}
	if exp.Sub(since) > c.MaxLifetime+c.Leeway {
		return fmt.Errorf("the token is valid for more than %s: have the identity provider issue shorter ones, or raise AUTH_MAX_LIFETIME", c.MaxLifetime)
	}
	return nil
}

// checkJWKSURL requires https, except for loopback addresses.
func checkJWKSURL(variable, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%s is %q, want https://…", variable, text)
	}
	address, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && u.Hostname() != "localhost" && (err != nil || !address.IsLoopback()) {
		return fmt.Errorf("%s is %q, want https: a machine in between could send keys of its own (http is for this machine alone)", variable, text)
	}
	return nil
}

// weak reports whether a key is too short.
func weak(key any) bool {
	k, ok := key.(*rsa.PublicKey)
	return ok && k.N.BitLen() < minRSA
}
