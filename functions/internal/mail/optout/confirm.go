package optout

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

// ConfirmPath is where links lead that confirm an address, on the page's origin. A token follows.
const ConfirmPath = "/api/users/confirmation/"

// Confirmation is what the token of a link says that confirms an address.
type Confirmation struct {
	TenantID string
	UserID   string // UUID
	Expires  time.Time

	address [addressBytes]byte // the beginning of a hash of the address
}

// addressBytes is as long as a mail's id, whose place the hash of the address takes in a token.
const addressBytes = 16

// IsAddress says whether the link was made for the address, however it is typed.
func (c Confirmation) IsAddress(email string) bool {
	other := hashOf(email)
	return subtle.ConstantTimeCompare(c.address[:], other[:]) == 1
}

func hashOf(email string) (h [addressBytes]byte) {
	sum := sha256.Sum256([]byte(strings.ToLower(email)))
	copy(h[:], sum[:])
	return h
}

// ConfirmURL returns the link that confirms the user's address until it expires. It is good for this address alone.
func (l *Links) ConfirmURL(tenantID, userID, email string, expires time.Time) (string, error) {
	id, err := uuid.Parse(userID)
	if err != nil {
		return "", fmt.Errorf("make a link that confirms an address: user %q: %w", userID, err)
	}
	hash := hashOf(email)
	said := statement(tenantID, id, hash, expires)
	return l.base + ConfirmPath + base64.RawURLEncoding.EncodeToString(append(said, sign(confirms, l.secrets[0], said)...)), nil
}

// ReadConfirmation returns what a token says at the time now. Errors: [ErrForged], and with the confirmation [ErrExpired].
func (l *Links) ReadConfirmation(token string, now time.Time) (Confirmation, error) {
	said, err := l.check(confirms, token)
	if err != nil {
		return Confirmation{}, err
	}
	c := Confirmation{TenantID: string(said[fixed:]), UserID: uuid.UUID(said[25:fixed]).String(), address: [addressBytes]byte(said[9:25]), Expires: end(said)}
	if !now.Before(c.Expires) {
		return c, ErrExpired
	}
	return c, nil
}

// Host returns the host of the page's origin, without a port.
func (l *Links) Host() string {
	u, err := url.Parse(l.base)
	if err != nil { // it was parsed before
		return ""
	}
	return u.Hostname()
}
