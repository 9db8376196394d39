// Package record defines a message of a Kafka topic.
package record

import (
	"errors"
	"time"

	"orderbell/internal/event/cloudevent"
)

// Record is a message in a Kafka topic.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Time      time.Time // when it was written
	Key       []byte
	Value     []byte
	Headers   []Header
	Event     cloudevent.Event // the CloudEvent, if Err is nil
	Err       error            // why the message is not a CloudEvent
}

// Header is one header of a Kafka message. Keys may repeat.
type Header struct {
	Key   string
	Value []byte
}

// ErrRefused is an event that Kafka never accepts: it cannot be encoded, or is larger than the topic allows. A retry is
// useless.
var ErrRefused = errors.New("the topic cannot hold this event")

// Span is a part of a topic's partition: the offsets from From up to, not including, To.
type Span struct {
	Partition int32
	From, To  int64
}
