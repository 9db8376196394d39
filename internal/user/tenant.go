package user

import (
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Business is a tenant as its operator sees it.
type Business struct {
	Tenant

	Owners    []string // addresses, sorted
	Users     int      // owners included
	CreatedAt time.Time
}

// Outcomes of making a tenant.
var (
	ErrTenantTaken = errors.New("another tenant has the id")
	ErrNameTaken   = errors.New("another tenant has the name")
)

// IsTenantName says whether s can be a tenant's name: 1 to [MaxName] characters that can be seen, none but single
// spaces between them.
func IsTenantName(s string) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= MaxName && s == strings.Join(strings.Fields(s), " ") &&
		!strings.ContainsFunc(s, unicode.IsControl)
}

// maxTenantID is the longest id of a tenant.
const maxTenantID = 64

// TenantID makes an id of a tenant's name: its ASCII letters, in lower case, and digits, with a dash for whatever is
// between them. It is "" for a name that has none.
func TenantID(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') })
	id := strings.Join(words, "-")
	return strings.TrimRight(id[:min(len(id), maxTenantID)], "-")
}
