// Package deadletter is the form of topic orders.dead-letters, as Knative's Kafka Broker writes it: an event that was not
// delivered, why, and the note that it was sent again.
package deadletter

import (
	"encoding/base64"
	"encoding/json"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
)

// The extensions of a dead letter, as Knative's Kafka Broker writes them
// (https://knative.dev/docs/eventing/event-delivery/).
const (
	ExtErrorDest = "knativeerrordest" // the subscriber that refused the event
	ExtErrorCode = "knativeerrorcode" // its HTTP status; absent where it did not answer
	ExtErrorData = "knativeerrordata" // base64 of the first 1024 bytes of its answer
	ExtReason    = "reason"           // from a function's header kne-reason, or the relay's own

	// The record of the topic of events that was delivered, on each delivery of Knative's Kafka Broker.
	ExtPartition = "knativekafkapartition"
	ExtOffset    = "knativekafkaoffset"
)

// ErrorHeaderPrefix begins the response headers of a failing function that become extensions of the dead letter, without
// the prefix.
const ErrorHeaderPrefix = "kne-"

// Reason returns why a dead letter is one, in words, or "" where it does not say. Brokers that drop the headers of a
// failing function's answer keep the answer: a problem (RFC 9457), whose detail it is.
func Reason(letter cloudevents.Event) string {
	if reason, ok := cloudevent.Extension(letter, ExtReason); ok {
		return reason
	}
	answer, _ := cloudevent.Extension(letter, ExtErrorData)
	raw, err := base64.StdEncoding.DecodeString(answer)
	if err != nil {
		return "" // not in the form that Knative gives it: nothing is known then
	}
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(raw, &problem) != nil {
		return ""
	}
	return event.Printable(problem.Detail)
}
