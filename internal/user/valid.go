package user

import (
	_ "embed" // the list of time zones
	"regexp"
	"slices"
	"strings"
	_ "time/tzdata" // a container has no time zone files
)

// MaxName is the longest name in characters.
const MaxName = 200

// UsualEvents are the event types that users are notified of by default, on both channels.
func UsualEvents() []string { return []string{"order_paid"} }

// UsualTimeZone is the default time zone of users.
const UsualTimeZone = "UTC"

//go:embed zones.txt
var zones string

// TimeZones returns every valid name of a time zone, sorted: those of the IANA database that both Go and PostgreSQL
// know. The page offers those that the browser knows.
func TimeZones() []string { return strings.Fields(zones) }

// IsTimeZone reports whether s is one of [TimeZones]. Names that only the files of one machine have, such as localtime,
// are not valid: another machine would use UTC.
func IsTimeZone(s string) bool {
	_, found := slices.BinarySearch(TimeZones(), s)
	return found
}

var id = regexp.MustCompile(`^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// IsID reports whether s is the id of a user or a device: a UUID in lower case. The database reads other spellings too, but
// revocations and counts of a user are not found by them.
func IsID(s string) bool { return id.MatchString(s) }

var quietHours = regexp.MustCompile(`^((?:[01][0-9]|2[0-3]):[0-5][0-9])-((?:[01][0-9]|2[0-3]):[0-5][0-9])$`)

// IsQuietHours reports whether s has two different times of the day, such as 22:00-07:00, or is empty for none.
func IsQuietHours(s string) bool {
	times := quietHours.FindStringSubmatch(s)
	return s == "" || times != nil && times[1] != times[2]
}
