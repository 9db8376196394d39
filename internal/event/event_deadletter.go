package event

import (
	"strings"
	"unicode"
)

// The extensions of a dead letter, as Knative's Kafka Broker writes them
// (https://knative.dev/docs/eventing/event-delivery/).
const (
	ExtErrorDest = "knativeerrordest" // the subscriber that refused the event
	ExtErrorCode = "knativeerrorcode" // its HTTP status; absent where it did not answer
	ExtErrorData = "knativeerrordata" // base64 of the first 1024 bytes of its answer
	ExtReason    = "reason"           // from a function's header kne-reason, or the relay's own
)

// ErrorHeaderPrefix begins the response headers of a failing function that become extensions of the dead letter, without
// the prefix.
const ErrorHeaderPrefix = "kne-"

// Printable returns s as an attribute of a CloudEvent may hold it: without control characters.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s)
}
