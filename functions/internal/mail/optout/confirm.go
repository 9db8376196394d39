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

	"orderbell/internal/paths"
)

// ConfirmPath is the path of links that confirm an address, on the page's origin. A token follows.
const ConfirmPath = paths.Users + "/confirmation/"

// Confirmation is the content of a confirmation link's token.
type Confirmation struct {
	TenantID string
	UserID   string // UUID
	Expires  time.Time

	address [addressBytes]byte // the beginning of a hash of the address
}

// addressBytes is the length of the hash of the address in a token. It equals that of a mail's id.
const addressBytes = 16

// IsAddress reports whether the link was made for the address, ignoring its spelling.
func (c Confirmation) IsAddress(email string) bool {
	other := hashOf(email)
	return subtle.ConstantTimeCompare(c.address[:], other[:]) == 1
}

func hashOf(email string) (h [addressBytes]byte) {
	sum := sha256.Sum256([]byte(strings.ToLower(email)))
	copy(h[:], sum[:])
	return h
}

// ConfirmURL returns the link that confirms the user's address until it expires. It is valid for this address only.
func (l *Links) ConfirmURL(tenantID, userID, email string, expires time.Time) (string, error) {
	id, err := uuid.Parse(userID)
	if err != nil {
		return "", fmt.Errorf("make a link that confirms an address: user %q: %w", userID, err)
	}
	hash := hashOf(email)
	said := statement(tenantID, id, hash, expires)
	return l.base + ConfirmPath + base64.RawURLEncoding.EncodeToString(append(said, sign(confirms, l.secrets[0], said)...)), nil
}

// ReadConfirmation returns the content of a token at the time now. Errors: [ErrForged], and with the confirmation
// [ErrExpired].
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
