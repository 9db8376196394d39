package relay

import (
	"context"
	"errors"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"orderbell/internal/bus/record"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
)

// send sends events and returns the positions of those that Kafka has, including those written as dead letters. Its
// error is that of an event that was not sent and can be retried.
//
// No request has two events of one order: the second is sent after the first is acknowledged. So it cannot arrive
// first, whatever the client, the brokers and the network do after failures.
func (r *Relay) send(ctx context.Context, events []event.Outgoing) ([]int64, error) {
	b := &batch{relay: r, sent: make([]int64, 0, len(events)), held: map[string]bool{}}
	for len(events) > 0 {
		var now, later []event.Outgoing
		inRequest := make(map[string]bool, len(events))
		for _, e := range events {
			switch {
			case b.held[e.OrderID]: // not sent, because an earlier event of the order failed
			case inRequest[e.OrderID]:
				later = append(later, e)
			default:
				inRequest[e.OrderID] = true
				now = append(now, e)
			}
		}
		b.send(ctx, now)
		events = later
	}
	return b.sent, b.failed
}

// batch is one call of [Relay.send].
type batch struct {
	relay  *Relay
	sent   []int64
	held   map[string]bool // orders with a failed event
	failed error
}

// send sends events, each of a different order.
func (b *batch) send(ctx context.Context, events []event.Outgoing) {
	var good, dead []event.Outgoing
	var encoded, letters []cloudevents.Event
	bury := func(e event.Outgoing, why error) {
		b.relay.log.ErrorContext(ctx, "event cannot be sent and becomes a dead letter", "event_id", e.ID, "order_id", e.OrderID, "err", why)
		dead = append(dead, e)
		letters = append(letters, deadletter.FromOutbox(e, why))
	}
	for _, e := range events {
		ce, err := cloudevent.FromOutbox(e)
		if err != nil {
			bury(e, err)
			continue
		}
		good = append(good, e)
		encoded = append(encoded, ce)
	}
	if len(good) > 0 {
		for i, err := range b.relay.bus.Send(ctx, b.relay.topics.Events, encoded) {
			if errors.Is(err, record.ErrRefused) {
				bury(good[i], err)
				continue
			}
			b.settle(good[i], err)
			if err == nil {
				b.relay.metrics.sent(ctx, good[i].Type, time.Since(good[i].Time))
			}
		}
	}
	if len(dead) > 0 {
		for i, err := range b.relay.bus.Send(ctx, b.relay.topics.DeadLetters, letters) {
			b.settle(dead[i], err)
			if err == nil {
				b.relay.metrics.deadLetters.Add(ctx, 1)
			}
		}
	}
}

func (b *batch) settle(e event.Outgoing, err error) {
	if err != nil {
		b.held[e.OrderID] = true
		b.failed = err
		return
	}
	b.sent = append(b.sent, e.Position)
}
