package deadletter

import (
	"strconv"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"orderbell/internal/event/cloudevent"
)

// Delivery is what a letter is about: a record of the topic of events, for one subscriber. A broker that starts again delivers its last
// seconds again, and may write a second letter of a delivery.
type Delivery struct {
	Partition, Offset string // of the record
	Subscriber        string // "" where none was asked
	EventID           string
}

// DeliveryOf returns what the letter is about, or false where it does not name its record.
func DeliveryOf(letter cloudevents.Event) (Delivery, bool) {
	d := Delivery{EventID: letter.ID()}
	d.Partition, _ = cloudevent.Extension(letter, ExtPartition)
	d.Offset, _ = cloudevent.Extension(letter, ExtOffset)
	d.Subscriber, _ = cloudevent.Extension(letter, ExtErrorDest)
	return d, d.Partition != "" && d.Offset != ""
}

// AtRecord returns e with the record of the topic of events that it was, as a delivery of Knative's Kafka Broker has it.
func AtRecord(e cloudevents.Event, partition int32, offset int64) cloudevents.Event {
	at := e.Clone()
	at.SetExtension(ExtPartition, strconv.FormatInt(int64(partition), 10))
	at.SetExtension(ExtOffset, strconv.FormatInt(offset, 10))
	return at
}
