package auth

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"orderbell/internal/user"
)

// DeviceIssuer is the claim iss in the tokens of paired devices. No identity provider can have it: theirs are URLs.
const DeviceIssuer = "urn:orderbell:devices"

// DeviceRoles are the roles that a paired device may have. None of them manages users or devices.
func DeviceRoles() []user.Role { return []user.Role{user.Cashier, user.Kitchen, user.Viewer} }

// DeviceKeys are the public keys (Ed25519) that verify the tokens of paired devices, by their key id. user-api alone has
// the private key; there are two keys here while it is replaced.
type DeviceKeys map[string]ed25519.PublicKey

// Decode reads public keys in base64url with commas between them.
func (k *DeviceKeys) Decode(s string) error {
	keys := DeviceKeys{}
	for text := range strings.SplitSeq(s, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		key, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
		if err != nil || len(key) != ed25519.PublicKeySize {
			return fmt.Errorf("%q is no Ed25519 public key: want 32 bytes in base64url", text)
		}
		keys[deviceKeyID(key)] = key
	}
	*k = keys
	return nil
}

// deviceKeyID is the claim kid of tokens that the key verifies.
func deviceKeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// devices returns the issuer of the tokens of paired devices. The configuration of the provider's claims is not theirs.
func (c Config) devices() *issuer {
	own := Config{
		Issuer: DeviceIssuer, Audience: c.Audience, UserClaim: "sub", TenantClaim: "tenant_id", RolesClaim: "roles",
		Tenant: c.Tenant, Leeway: c.Leeway, MaxLifetime: longestDeviceToken,
	}
	i := newIssuer(own, []string{"EdDSA"}, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		if key, ok := c.DeviceKeys[id]; ok {
			return key, nil
		}
		return nil, errors.New("no device key has the token's kid")
	})
	i.device = true
	return i
}

// longestDeviceToken bounds what a device may do after it is removed while Redis cannot tell.
const longestDeviceToken = 15 * time.Minute

// DeviceSigner signs the tokens of paired devices.
type DeviceSigner struct {
	key      ed25519.PrivateKey
	audience string
}

// NewDeviceSigner returns a signer with the private key: its seed of 32 bytes in base64url.
func NewDeviceSigner(seed, audience string) (*DeviceSigner, error) {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(seed, "="))
	if err != nil || len(raw) != ed25519.SeedSize {
		return nil, errors.New("DEVICE_TOKEN_KEY is no Ed25519 key: want 32 bytes in base64url, as `orderbell device-key` prints it")
	}
	return &DeviceSigner{ed25519.NewKeyFromSeed(raw), audience}, nil
}

// PublicKey is what AUTH_DEVICE_KEYS wants of the signer's key.
func (s *DeviceSigner) PublicKey() string {
	return base64.RawURLEncoding.EncodeToString(s.key.Public().(ed25519.PublicKey))
}

// Sign returns a token of the device p, with an id of its own. Roles that no device may have are an error.
func (s *DeviceSigner) Sign(p Principal, now time.Time) (string, error) {
	for _, role := range p.Roles {
		if !slices.Contains(DeviceRoles(), role) {
			return "", fmt.Errorf("sign device token: a device cannot be %s", role)
		}
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"sub": p.UserID, "tenant_id": p.TenantID, "roles": p.Roles, "iss": DeviceIssuer, "aud": s.audience,
		"iat": now.Unix(), "exp": p.Expires.Unix(), "jti": uuid.NewString(),
	})
	token.Header["kid"] = deviceKeyID(s.key.Public().(ed25519.PublicKey))
	text, err := token.SignedString(s.key)
	if err != nil {
		return "", fmt.Errorf("sign device token: %w", err)
	}
	return text, nil
}
