package user

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"
)

// Device is a till or a screen that a manager has paired. It signs in as itself, with its own role.
type Device struct {
	ID       string // UUID
	TenantID string
	Name     string // unique in the tenant among devices that are not revoked
	Role     Role   // one of [DeviceRoles]

	PairedAt time.Time
	PairedBy string // name of the user, "" if unknown

	// ConnectedSince is when the device's page was opened, as of LastSeen. Both are zero before it was used.
	ConnectedSince time.Time
	LastSeen       time.Time
}

// DeviceRoles are the roles that a device may have: no device leads a business.
func DeviceRoles() []Role { return []Role{Cashier, Kitchen, Viewer} }

// Pairing is a till's request for a manager's approval.
type Pairing struct {
	Expires time.Time
	// TenantName and Device are set once the pairing is approved.
	TenantName string
	Device     *Device
}

// Errors of devices.
var (
	ErrNoCode     = errors.New("no till shows this code, or it has expired")
	ErrDeviceName = errors.New("another device has the name")
	ErrManyCodes  = errors.New("too many tills wait for approval")
)

const (
	// PairingLife is how long a code is valid.
	PairingLife = 10 * time.Minute
	// MaxPairings bounds the codes that are valid at once, over all tenants.
	MaxPairings = 1000
	// DeviceAway is the time without a sign of life after which a device is not connected. Its page sends one each minute.
	DeviceAway = 150 * time.Second
)

// HashSecret returns the SHA-256 of a device's secret in hexadecimal digits. The secret is 256 random bits, so that a plain hash
// is enough.
func HashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
