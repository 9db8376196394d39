package deadletter

import (
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
)

// DestDropped stands for the subscriber in a letter of an event that the broker dropped: it is not known any more.
const DestDropped = "/orderbell/dropped"

// Dropped returns the dead letter of o, which the broker could neither deliver nor write as a dead letter. Its redrive is
// the event as the relay sent it.
func Dropped(o event.Outgoing, reason string) (cloudevents.Event, error) {
	letter, err := cloudevent.FromOutbox(o)
	if err != nil {
		return cloudevents.Event{}, err
	}
	letter.SetExtension(ExtErrorDest, DestDropped)
	letter.SetExtension(ExtReason, Text(reason))
	return letter, nil
}
