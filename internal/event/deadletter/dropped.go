package deadletter

import (
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
)

// DestDropped is the subscriber in the dead letter of a dropped event, because the real one is unknown.
const DestDropped = "/orderbell/dropped"

// Dropped returns the dead letter of o, which the broker could neither deliver nor write as a dead letter. A redrive sends the
// event as the relay sent it.
func Dropped(o event.Outgoing, reason string) (cloudevent.Event, error) {
	letter, err := cloudevent.FromOutbox(o)
	if err != nil {
		return cloudevent.Event{}, err
	}
	letter.SetExtension(ExtErrorDest, DestDropped)
	letter.SetExtension(ExtReason, Text(reason))
	return letter, nil
}
