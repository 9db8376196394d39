package relay

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/trace"

	"orderbell/internal/bus/record"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
	"orderbell/internal/tracing"
)

// send sends events and returns the positions of those that Kafka has, including those written as dead letters. Its
// error is the error of an event that was not sent and can be retried.
//
// No request has two events of one order: the second is sent after the first is acknowledged. So it cannot arrive
// first, whatever the client, the brokers and the network do after failures.
func (r *Relay) send(ctx context.Context, events []event.Outgoing) ([]int64, error) {
	b := &batch{relay: r, sent: make([]int64, 0, len(events)), held: map[string]bool{}, spans: make(map[int64]trace.Span, len(events))}
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
	spans  map[int64]trace.Span // of the events under way, by position
	sent   []int64
	held   map[string]bool // orders with a failed event
	failed error
}

// send sends events, each of a different order.
func (b *batch) send(ctx context.Context, events []event.Outgoing) {
	var good, dead []event.Outgoing
	var encoded, letters []cloudevent.Event
	bury := func(e event.Outgoing, why error) {
		if span := b.spans[e.Position]; span != nil {
			span.SetAttributes(tracing.AttrOutcome.String("dead letter"))
		}
		b.relay.log.ErrorContext(ctx, "event cannot be sent and becomes a dead letter", "event_id", e.ID, "order_id", e.OrderID, "err", why)
		dead = append(dead, e)
		letters = append(letters, deadletter.FromOutbox(e, why))
	}
	for _, e := range events {
		b.begin(ctx, &e)
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

// begin starts the event's span in the trace of the request that changed the order, and writes the span into e as its parent.
func (b *batch) begin(ctx context.Context, e *event.Outgoing) {
	since := time.Now()
	if e.Time.Before(since) {
		since = e.Time // its wait in the outbox is part of the hop
	}
	ctx, span := tracing.Start(tracing.With(ctx, tracing.Parent{TraceParent: e.TraceParent, TraceState: e.TraceState}),
		tracing.SpanSend, trace.WithSpanKind(trace.SpanKindProducer), trace.WithTimestamp(since))
	if now := tracing.Of(ctx); now.TraceParent != "" {
		e.TraceParent, e.TraceState = now.TraceParent, now.TraceState
	}
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(tracing.AttrMessagingSystem.String("kafka"), tracing.AttrMessagingDestination.String(b.relay.topics.Events),
		tracing.AttrMessagingOperation.String("publish"), tracing.AttrMessagingID.String(e.ID), tracing.AttrTenant.String(e.TenantID),
		tracing.AttrOrder.String(e.OrderID), tracing.AttrEventType.String(string(e.Type)))
	b.spans[e.Position] = span
}

func (b *batch) settle(e event.Outgoing, err error) {
	if span := b.spans[e.Position]; span != nil {
		tracing.End(span, err)
	}
	if err != nil {
		b.held[e.OrderID] = true
		b.failed = err
		return
	}
	b.sent = append(b.sent, e.Position)
}
