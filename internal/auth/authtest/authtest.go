// Package authtest signs tokens for tests, the way Orderbell does itself without an identity provider.
package authtest

import (
	"testing"
	"time"

	"orderbell/internal/auth"
)

// Secret is for tests that need no secret of their own.
const Secret = "0123456789abcdef0123456789abcdef"

// Config returns the configuration of development with a secret of 32 bytes or more.
func Config(secret string) auth.Config {
	return auth.Config{DevSecret: secret, Issuer: "orderbell", Audience: "orderbell", TenantClaim: "tenant_id", RolesClaim: "roles"}
}

// Verifier returns a verifier of the tokens of cfg.
func Verifier(tb testing.TB, cfg auth.Config) *auth.Verifier {
	tb.Helper()
	v, err := auth.NewVerifier(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// Token returns a token of p, valid for an hour unless p has another end.
func Token(tb testing.TB, cfg auth.Config, p auth.Principal) string {
	tb.Helper()
	now := time.Now()
	if p.Expires.IsZero() {
		p.Expires = now.Add(time.Hour)
	}
	token, err := cfg.Sign(p, now)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}
