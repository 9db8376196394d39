package auth_test

import (
	"testing"
	"time"

	"orderbell/internal/auth"
)

func TestIssuersOfDevelopment(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]auth.Config{
		"beside a key server":          {JWKSURL: "https://id.example/jwks", DevIssuer: "http://localhost:1"},
		"at another machine":           {DevSecret: secret, DevIssuer: "http://id.example"},
		"with the same issuer as ours": {DevSecret: secret, DevIssuer: "http://localhost:1", Issuer: "http://localhost:1"},
	} {
		cfg.Audience, cfg.TenantClaim, cfg.RolesClaim, cfg.KeysEvery = "orderbell", "tenant_id", "roles", time.Minute
		if cfg.Issuer == "" {
			cfg.Issuer = "orderbell"
		}
		t.Run(name+" are refused", func(t *testing.T) {
			t.Parallel()
			if _, err := auth.NewVerifier(t.Context(), cfg); err == nil {
				t.Error("accepted")
			}
		})
	}
}
