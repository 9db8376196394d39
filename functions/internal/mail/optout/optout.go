// Package optout creates and reads the links in mails. An unsubscribe link can only switch off one user's e-mail
// notifications, once, until it expires. A confirmation link can only confirm one user's address.
//
// A link is a capability, not a login. Its token names the user and has an HMAC-SHA256 of its content, so only the
// holder of the secret can create one. A link of one kind is not valid as the other.
package optout

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/paths"
)

// Config has the secrets and the origin of links.
type Config struct {
	PublicURL string        `envconfig:"PUBLIC_URL" required:"true"`         // origin of the page
	Secret    string        `envconfig:"UNSUBSCRIBE_SECRET" required:"true"` // at least 32 bytes
	OldSecret string        `envconfig:"UNSUBSCRIBE_OLD_SECRET"`             // its links are still valid, but no new ones are created
	Life      time.Duration `envconfig:"UNSUBSCRIBE_LIFE" default:"1440h"`   // laws require at least 30 days
}

// Path is the path of unsubscribe links, on the page's origin. A token follows.
const Path = paths.Unsubscribe + "/"

// preferencesPath is the page's path of preferences.
const preferencesPath = "/#/preferences"

const minSecret = 32 // bytes, as many as the hash has

// Claim is the content of an unsubscribe token.
type Claim struct {
	TenantID string
	UserID   string // UUID
	MailID   string // UUID of the mail that has the link; it can be used once
	Expires  time.Time
}

// Errors of [Links.Read].
var (
	ErrForged  = errors.New("the token was not signed with our secret")
	ErrExpired = errors.New("the token has expired")
)

// Links makes and reads links. It is safe for concurrent use.
type Links struct {
	base    string
	secrets [][]byte // the first signs
	life    time.Duration
}

// New checks cfg.
func New(cfg Config) (*Links, error) {
	u, err := url.Parse(cfg.PublicURL)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || strings.Trim(u.Path, "/") != "":
		return nil, fmt.Errorf("PUBLIC_URL is %q, want the address of the page, such as https://orders.example.com", cfg.PublicURL)
	case !Safe(u):
		return nil, fmt.Errorf("PUBLIC_URL is %q, want https://", cfg.PublicURL)
	case len(cfg.Secret) < minSecret:
		return nil, fmt.Errorf("UNSUBSCRIBE_SECRET has %d bytes, want %d or more", len(cfg.Secret), minSecret)
	case cfg.OldSecret != "" && len(cfg.OldSecret) < minSecret:
		return nil, fmt.Errorf("UNSUBSCRIBE_OLD_SECRET has %d bytes, want %d or more", len(cfg.OldSecret), minSecret)
	case cfg.Life <= 0:
		return nil, fmt.Errorf("UNSUBSCRIBE_LIFE is %s, want more than 0", cfg.Life)
	}
	l := &Links{base: u.Scheme + "://" + u.Host, secrets: [][]byte{[]byte(cfg.Secret)}, life: cfg.Life}
	if cfg.OldSecret != "" {
		l.secrets = append(l.secrets, []byte(cfg.OldSecret))
	}
	return l, nil
}

// Safe reports whether a link to u may be mailed: RFC 8058 requires https. Only loopback addresses may use http.
func Safe(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	here := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && here)
}

// Preferences returns the address of the user's preferences on the page.
func (l *Links) Preferences() string { return l.base + preferencesPath }

// URL returns the unsubscribe link of a mail, or "" if an id is not a UUID.
func (l *Links) URL(tenantID, userID, mailID string, now time.Time) string {
	token, err := l.token(Claim{TenantID: tenantID, UserID: userID, MailID: mailID, Expires: now.Add(l.life)})
	if err != nil {
		return ""
	}
	return l.base + Path + token
}

// A token is, in base64url, a version, the seconds since 1970 of its end (8 bytes, big-endian), the mail's and the
// user's id (16 bytes each), the tenant's id, and the HMAC-SHA256 of all before it.
const (
	version = 1
	fixed   = 1 + 8 + 16 + 16
)

func (l *Links) token(c Claim) (string, error) {
	mailID, err := uuid.Parse(c.MailID)
	if err != nil {
		return "", fmt.Errorf("make an unsubscribe link: mail id %q: %w", c.MailID, err)
	}
	userID, err := uuid.Parse(c.UserID)
	if err != nil {
		return "", fmt.Errorf("make an unsubscribe link: user %q: %w", c.UserID, err)
	}
	said := statement(c.TenantID, userID, mailID, c.Expires)
	return base64.RawURLEncoding.EncodeToString(append(said, sign(unsubscribes, l.secrets[0], said)...)), nil
}

// statement is the content of a token. About is the mail's id, or the hash of an address.
func statement(tenantID string, userID, about [16]byte, expires time.Time) []byte {
	said := binary.BigEndian.AppendUint64([]byte{version}, uint64(expires.Unix())) //nolint:gosec // after 1970
	return append(append(append(said, about[:]...), userID[:]...), tenantID...)
}

// end is the expiry of a token.
func end(said []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(said[1:9])), 0).UTC() //nolint:gosec // we have written it
}

// check returns the content of a token with the purpose, or [ErrForged].
func (l *Links) check(p purpose, token string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) <= fixed+sha256.Size || raw[0] != version {
		return nil, ErrForged
	}
	said, signature := raw[:len(raw)-sha256.Size], raw[len(raw)-sha256.Size:]
	good := false
	for _, secret := range l.secrets {
		good = good || hmac.Equal(signature, sign(p, secret, said))
	}
	if !good {
		return nil, ErrForged
	}
	return said, nil
}

// Read returns the content of a token at the time now. Errors: [ErrForged], and with the claim [ErrExpired].
func (l *Links) Read(token string, now time.Time) (Claim, error) {
	said, err := l.check(unsubscribes, token)
	if err != nil {
		return Claim{}, err
	}
	c := Claim{
		TenantID: string(said[fixed:]), UserID: uuid.UUID(said[25:fixed]).String(), MailID: uuid.UUID(said[9:25]).String(), Expires: end(said),
	}
	if !now.Before(c.Expires) {
		return c, ErrExpired
	}
	return c, nil
}

// purpose separates the signatures of different kinds of tokens.
type purpose string

const (
	unsubscribes purpose = "orderbell unsubscribe\x00"
	confirms     purpose = "orderbell confirm address\x00"
)

func sign(p purpose, secret, said []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write([]byte(p)) // a hash takes everything
	_, _ = mac.Write(said)
	return mac.Sum(nil)
}
