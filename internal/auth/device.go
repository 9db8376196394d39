package auth

import (
	"errors"
	"strings"
	"time"

	"orderbell/internal/user"
)

const (
	// devicePrefix begins the token of a device. No JWT begins so: it begins with the base64 of {".
	devicePrefix = "orderbell-device."
	// deviceSecret is how many characters a device's secret has: base64url of 256 bits.
	deviceSecret = 43
	// deviceLife bounds a stream that a device has opened: it opens the next one with the same token.
	deviceLife = 24 * time.Hour
)

// DeviceToken returns the token of a device. It does not expire; it ends when the device is revoked.
func DeviceToken(tenantID, deviceID, secret string) string {
	return devicePrefix + tenantID + "." + deviceID + "." + secret
}

// ErrDevice is the error of every invalid token of a device, whatever the fault.
var ErrDevice = errors.New("no paired device has this token, or the device was revoked: pair it again")

// device returns the principal of a device's token. It only reads the token; [Rights] checks the secret.
func device(token string) (p Principal, is bool, err error) {
	rest, is := strings.CutPrefix(token, devicePrefix)
	if !is {
		return Principal{}, false, nil
	}
	head, secret, found := cutLast(rest)
	tenantID, id, also := cutLast(head)
	if !found || !also || len(secret) != deviceSecret || !user.IsID(id) || !user.IsTenantID(tenantID) {
		return Principal{}, true, ErrDevice
	}
	return Principal{UserID: id, TenantID: tenantID, Device: user.HashSecret(secret), Expires: time.Now().Add(deviceLife)}, true, nil
}

// cutLast cuts s at its last dot: a tenant's id may have dots.
func cutLast(s string) (before, after string, found bool) {
	at := strings.LastIndexByte(s, '.')
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+1:], true
}
