// Package deadletter defines the topic orders.dead-letters in the format of Knative's Kafka Broker: undelivered events
// with their reason, and the notes that they were redriven or closed.
package deadletter

import (
	"encoding/base64"
	"encoding/json"

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

// Reason returns the reason of a dead letter, or "" without one. Some brokers drop the headers of a failing function's
// answer; then the reason is the detail of the problem (RFC 9457) in the body.
func Reason(letter cloudevent.Event) string {
	if reason, ok := cloudevent.Extension(letter, ExtReason); ok {
		return reason
	}
	answer, _ := cloudevent.Extension(letter, ExtErrorData)
	raw, err := base64.StdEncoding.DecodeString(answer)
	if err != nil {
		return "" // not in Knative's format: the reason is unknown
	}
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(raw, &problem) != nil {
		return ""
	}
	return event.Printable(problem.Detail)
}
