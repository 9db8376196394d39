package deadletter

import (
	"strconv"

	"orderbell/internal/event/cloudevent"
)

// Delivery identifies the delivery of a dead letter: a record of the topic of events, and a subscriber. A restarted broker repeats
// its last seconds, and may write a second dead letter of the same delivery.
type Delivery struct {
	Partition, Offset string // of the record
	Subscriber        string // "" where none was asked
	EventID           string
}

// DeliveryOf returns the delivery of the dead letter, or false if it does not name its record.
func DeliveryOf(letter cloudevent.Event) (Delivery, bool) {
	d := Delivery{EventID: letter.ID()}
	d.Partition, _ = cloudevent.Extension(letter, ExtPartition)
	d.Offset, _ = cloudevent.Extension(letter, ExtOffset)
	d.Subscriber, _ = cloudevent.Extension(letter, ExtErrorDest)
	return d, d.Partition != "" && d.Offset != ""
}

// AtRecord returns e with the extensions that name its record in the topic of events, as in a delivery of Knative's Kafka Broker.
func AtRecord(e cloudevent.Event, partition int32, offset int64) cloudevent.Event {
	at := e.Clone()
	at.SetExtension(ExtPartition, strconv.FormatInt(int64(partition), 10))
	at.SetExtension(ExtOffset, strconv.FormatInt(offset, 10))
	return at
}
