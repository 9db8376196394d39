package event

import (
	"errors"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// Record is a message as it lies in a Kafka topic.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Time      time.Time // when it was written
	Key       []byte
	Value     []byte
	Headers   []Header
	Event     cloudevents.Event // what the message says, if Err is nil
	Err       error             // why the message is no CloudEvent
}

// Header is one header of a Kafka message. Keys may repeat.
type Header struct {
	Key   string
	Value []byte
}

// ErrRefused is an event that Kafka will never take: it cannot be encoded or is larger than the topic allows. Sending
// it again is of no use.
var ErrRefused = errors.New("the topic cannot hold this event")
