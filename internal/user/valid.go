package user

import (
	_ "embed" // the list of time zones
	"regexp"
	"slices"
	"strings"
	_ "time/tzdata" // a container has no zones of its own
)

// MaxName is the longest name in characters.
const MaxName = 200

// UsualEvents are what users are told of by either channel unless they choose: what everybody heard of before there
// was a choice.
func UsualEvents() []string { return []string{"order_paid"} }

// UsualTimeZone is everybody's until they choose.
const UsualTimeZone = "UTC"

//go:embed zones.txt
var zones string

// TimeZones returns every name that a time zone may have, in their order: those of the IANA database that Go and PostgreSQL
// both know. The page offers the zones that the browser knows; the API refuses any other.
func TimeZones() []string { return strings.Fields(zones) }

// IsTimeZone says whether s is one of [TimeZones]. What the files of one machine know besides, such as localtime, is not:
// another machine would take it for UTC.
func IsTimeZone(s string) bool {
	_, found := slices.BinarySearch(TimeZones(), s)
	return found
}

var quietHours = regexp.MustCompile(`^((?:[01][0-9]|2[0-3]):[0-5][0-9])-((?:[01][0-9]|2[0-3]):[0-5][0-9])$`)

// IsQuietHours says whether s is two different times of the day, such as 22:00-07:00, or empty for none.
func IsQuietHours(s string) bool {
	times := quietHours.FindStringSubmatch(s)
	return s == "" || times != nil && times[1] != times[2]
}
