package deadletter

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/bus/record"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
)

// Close marks the dead letters of c as closed, with the operator and the reason, and returns them. Letters that are
// already closed or redriven do not change.
func (o *Office) Close(ctx context.Context, c Choice, by, reason string) ([]Letter, error) {
	keys := map[place][]byte{}
	letters, _, err := o.read(ctx, c.Since, func(l *Letter, r record.Record) { keys[l.place] = r.Key })
	if err != nil {
		return nil, err
	}
	chosen, err := choose(letters, c)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	closed := []Letter{}
	var notes []cloudevent.Event
	for _, l := range chosen {
		if l.ClosedAt != nil || l.RedrivenAt != nil {
			continue
		}
		note, err := deadletter.Closed{
			Partition: l.place.partition, Offset: l.place.offset, EventID: l.EventID, At: now, By: by, Reason: reason,
		}.CloudEvent(uuid.Must(uuid.NewV7()).String(), keys[l.place])
		if err != nil {
			return nil, err
		}
		notes = append(notes, note)
		l.ClosedAt, l.ClosedBy, l.ClosedFor = &now, by, reason
		closed = append(closed, l)
	}
	if len(notes) == 0 {
		return closed, nil
	}
	return closed, errors.Join(o.Bus.Send(ctx, o.Topics.DeadLetters, notes)...)
}
