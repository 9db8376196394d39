package user

import (
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Business is a tenant as shown to an operator.
type Business struct {
	Tenant

	Owners    []string // addresses, sorted
	Users     int      // owners included
	CreatedAt time.Time
}

// Outcomes of creating a tenant.
var (
	ErrTenantTaken = errors.New("another tenant has the id")
	ErrNameTaken   = errors.New("another tenant has the name")
)

// IsTenantName reports whether s can be a tenant's name: 1 to [MaxName] visible characters, with single spaces between
// them.
func IsTenantName(s string) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= MaxName && s == strings.Join(strings.Fields(s), " ") &&
		!strings.ContainsFunc(s, unicode.IsControl)
}

// maxTenantID is the longest id of a tenant.
const maxTenantID = 64

var tenantID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`) // maxTenantID

// IsTenantID reports whether s can be a tenant's id: 1 to 64 letters, digits, dots, dashes and underscores. Braces are
// not allowed, since the id is a Redis hash tag.
func IsTenantID(s string) bool { return tenantID.MatchString(s) }

// TenantID derives an id from a tenant's name: its ASCII letters in lower case and its digits, with dashes for other
// characters between them. It is "" for a name without letters and digits.
func TenantID(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') })
	id := strings.Join(words, "-")
	return strings.TrimRight(id[:min(len(id), maxTenantID)], "-")
}
