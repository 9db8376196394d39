package user

import (
	"net/mail"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // a container has no zones of its own
	"unicode"
)

// MaxName is the longest name in characters.
const MaxName = 200

// MaxEmail is the longest e-mail address in bytes (RFC 5321 §4.5.3.1.3, without the brackets).
const MaxEmail = 254

// IsEmail says whether s is one bare address, as a mail server takes it.
func IsEmail(s string) bool {
	if len(s) > MaxEmail || strings.ContainsFunc(s, unicode.IsControl) {
		return false
	}
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && a.Name == ""
}

// UsualEvents are what people are told of by either channel unless they choose: what everybody heard of before there
// was a choice.
func UsualEvents() []string { return []string{"order_paid"} }

// UsualTimeZone is everybody's until they choose.
const UsualTimeZone = "UTC"

// IsTimeZone says whether s names a zone of the IANA database.
func IsTimeZone(s string) bool {
	if s == "" || s == "Local" || len(s) > 64 {
		return false
	}
	_, err := time.LoadLocation(s)
	return err == nil
}

var quietHours = regexp.MustCompile(`^((?:[01][0-9]|2[0-3]):[0-5][0-9])-((?:[01][0-9]|2[0-3]):[0-5][0-9])$`)

// IsQuietHours says whether s is two different times of the day, such as 22:00-07:00, or empty for none.
func IsQuietHours(s string) bool {
	times := quietHours.FindStringSubmatch(s)
	return s == "" || times != nil && times[1] != times[2]
}
