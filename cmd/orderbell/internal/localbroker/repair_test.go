package localbroker_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/internal/audit"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/feed/message"
)

// repair is the repair of a history, every minute after the redrive.
func (h *history) repair() deadletter.Repair {
	return deadletter.Repair{
		Outbox: h, Groups: []string{"order-status-updated"}, Oldest: h.group.oldest, Feed: h, Replay: 6 * time.Hour, Settle: deadletter.Settle,
	}
}

// refusesLetters says whether the topic of dead letters takes nothing: in half of the histories, until it is calm. Then the broker
// drops events.
func (h *history) refusesLetters() bool {
	return h.random("letters", 0).IntN(2) == 0 && time.Now().Before(h.calm)
}

// mark is the relay's: e counts as sent from now on.
func (h *history) mark(e cloudevent.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.outbox = append(h.outbox, audit.Sent{SentAt: time.Now(), Outgoing: event.Outgoing{
		Position: int64(len(h.outbox) + 1), ID: e.ID(), Source: e.Source(), Type: event.Type(e.Type()), TenantID: "demo",
		OrderID: e.Subject(), Time: e.Time(), Raw: e.Data(),
	}})
}

// Sent is the outbox with the records, as the repair reads it.
func (h *history) Sent(_ context.Context, from, to time.Time, after audit.Sent, _ int) (events []audit.Sent, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.outbox {
		if e.SentAt.Before(from) || !e.SentAt.Before(to) || e.Position <= after.Position {
			continue
		}
		e.RecordedAt = h.recorded[e.ID]
		events = append(events, e)
	}
	return events, nil
}

// Presence is Redis, which keeps everything.
func (h *history) Presence(_ context.Context, events []audit.Key) ([]audit.Presence, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	present := make([]audit.Presence, len(events))
	for i, e := range events {
		present[i].Marked = h.marks[e.EventID]
	}
	return present, nil
}

// Oldest says that the stream reaches back to the beginning.
func (*history) Oldest(context.Context, string) (message.Position, bool, error) {
	return message.Position{}, true, nil
}

// oldest is the time of the first record that is not done.
func (p *place) oldest(context.Context, string) (time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next >= len(p.topics[eventTopic]) {
		return time.Time{}, nil
	}
	return p.topics[eventTopic][p.next].Time, nil
}

// TestTheRepairHeals checks that the repair corrects faults of relay and broker that lose events.
func TestTheRepairHeals(t *testing.T) {
	t.Parallel()
	for _, p := range healed() {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(100) {
				synctest.Test(t, func(t *testing.T) {
					h := &history{seed: seed, plant: p, repairs: true}
					if wrong := h.run(t); len(wrong) > 0 {
						t.Fatalf("seed %d: %v", seed, wrong)
					}
				})
			}
		})
	}
}
