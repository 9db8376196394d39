package auth_test

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/user"
)

const deviceSeed = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

func TestDeviceTokens(t *testing.T) {
	t.Parallel()
	signer, err := auth.NewDeviceSigner(deviceSeed, "orderbell")
	if err != nil {
		t.Fatal(err)
	}
	cfg := authtest.Config(authtest.Secret)
	if err := cfg.DeviceKeys.Decode(signer.PublicKey()); err != nil {
		t.Fatal(err)
	}
	v := authtest.Verifier(t, cfg)
	now := time.Now()
	p := auth.Principal{UserID: "d1", TenantID: "demo", Roles: []user.Role{user.Cashier}, Expires: now.Add(5 * time.Minute)}
	token, err := signer.Sign(p, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("a device's token names the device", func(t *testing.T) {
		t.Parallel()
		got, err := v.Verify(token)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Device || got.UserID != "d1" || got.TenantID != "demo" || !got.Has(user.Cashier) || got.Actor() != "device:d1" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a user's token does not", func(t *testing.T) {
		t.Parallel()
		if got, err := v.Verify(authtest.Token(t, cfg, auth.Principal{UserID: "u1", TenantID: "demo"})); err != nil || got.Device {
			t.Errorf("got %+v and %v", got, err)
		}
	})
	t.Run("no device is an owner or a manager", func(t *testing.T) {
		t.Parallel()
		for _, role := range []user.Role{user.Owner, user.Manager} {
			mighty := p
			mighty.Roles = []user.Role{role}
			if _, err := signer.Sign(mighty, now); err == nil {
				t.Errorf("a token of a device that is %s was signed", role)
			}
		}
	})
	forged := func(method jwt.SigningMethod, key any, kid any, end time.Duration) string {
		token := jwt.NewWithClaims(method, jwt.MapClaims{
			"sub": "d1", "tenant_id": "demo", "roles": []string{"cashier"}, "iss": auth.DeviceIssuer, "aud": "orderbell",
			"iat": now.Unix(), "exp": now.Add(end).Unix(),
		})
		if kid != nil {
			token.Header["kid"] = kid
		}
		text, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	kid := func() any {
		parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
		if err != nil {
			t.Fatal(err)
		}
		return parsed.Header["kid"]
	}()
	own := ed25519.NewKeyFromSeed([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"))
	other := ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", 32)))
	for name, token := range map[string]string{
		"another key under our key's id":         forged(jwt.SigningMethodEdDSA, other, kid, time.Minute),
		"a key that is not known":                forged(jwt.SigningMethodEdDSA, own, "another", time.Minute),
		"no key id":                              forged(jwt.SigningMethodEdDSA, own, nil, time.Minute),
		"the secret of users' tokens":            forged(jwt.SigningMethodHS256, []byte(authtest.Secret), kid, time.Minute),
		"no signature":                           forged(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid, time.Minute),
		"a life of an hour, which no device has": forged(jwt.SigningMethodEdDSA, own, kid, time.Hour),
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			t.Parallel()
			if got, err := v.Verify(token); err == nil {
				t.Errorf("accepted as %+v", got)
			}
		})
	}
	t.Run("without device keys every device is refused", func(t *testing.T) {
		t.Parallel()
		if got, err := authtest.Verifier(t, authtest.Config(authtest.Secret)).Verify(token); err == nil {
			t.Errorf("accepted as %+v", got)
		}
	})
}

func TestIssuersOfDevelopment(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]auth.Config{
		"beside a key server":   {JWKSURL: "https://id.example/jwks", DevIssuer: "http://localhost:1"},
		"at another machine":    {DevSecret: secret, DevIssuer: "http://id.example"},
		"with the name of ours": {DevSecret: secret, DevIssuer: "http://localhost:1", Issuer: "http://localhost:1"},
		"with that of devices":  {DevSecret: secret, Issuer: auth.DeviceIssuer, DeviceKeys: auth.DeviceKeys{"k": make([]byte, 32)}},
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
