package deadletter

import (
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
)

// Failure is the reason of a failed delivery in a dead letter.
type Failure struct {
	Dest   string // the subscriber's address
	Status int    // its HTTP status; 0 if it did not answer
	Header map[string][]string
	Body   []byte
}

// errorDataBytes is how much of a failing subscriber's answer a dead letter carries.
const errorDataBytes = 1024

// DeadLetter returns e with its failure, in the format of Knative's Kafka Broker.
func (f Failure) DeadLetter(e cloudevent.Event) cloudevent.Event {
	letter := e.Clone()
	letter.SetExtension(ExtErrorDest, f.Dest)
	if f.Status == 0 {
		return letter
	}
	for _, name := range slices.Sorted(maps.Keys(f.Header)) {
		values := f.Header[name]
		short, ok := strings.CutPrefix(strings.ToLower(name), ErrorHeaderPrefix)
		if ok && isExtension(short) && len(values) > 0 {
			letter.SetExtension(short, Text(values[len(values)-1]))
		}
	}
	letter.SetExtension(ExtErrorCode, strconv.Itoa(f.Status))
	if len(f.Body) > 0 {
		letter.SetExtension(ExtErrorData, base64.StdEncoding.EncodeToString(f.Body[:min(len(f.Body), errorDataBytes)]))
	}
	return letter
}

// isExtension reports whether a CloudEvent may have an extension with the name: lower-case letters and digits, and not
// one of its attributes (CloudEvents 1.0, Naming Conventions).
func isExtension(name string) bool {
	switch name {
	case "", "id", "source", "specversion", "type", "datacontenttype", "dataschema", "subject", "time", "data":
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// Text returns s without the characters that an attribute must not have.
func Text(s string) string { return event.Printable(strings.ToValidUTF8(s, "\uFFFD")) }

// Retryable reports whether Knative's brokers retry an event after a subscriber's answer with this HTTP status
// (https://knative.dev/docs/eventing/event-delivery/).
func Retryable(status int) bool {
	switch status {
	case http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return true
	}
	return status >= http.StatusInternalServerError
}
