package localbroker_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/cmd/orderbell/internal/localbroker"
	"orderbell/internal/bus/record"
	"orderbell/internal/event/cloudevent"
)

// records is a source that hands each group the same records, once. A real source cannot have undecodable records.
type records []record.Record

func (s records) Consume(ctx context.Context, _ string, _ int, handle func(context.Context, record.Record) error) error {
	for _, r := range s {
		if err := handle(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// refusing is a bus that fails a few times before it accepts events.
type refusing struct {
	mu       sync.Mutex
	failures int
	topics   []string
	sent     []cloudevent.Event
}

func (b *refusing) Send(_ context.Context, topic string, events []cloudevent.Event) []error {
	b.mu.Lock()
	defer b.mu.Unlock()
	errs := make([]error, len(events))
	if b.failures > 0 {
		b.failures--
		errs[0] = errors.New("not now")
		return errs
	}
	for _, e := range events {
		b.topics = append(b.topics, topic)
		b.sent = append(b.sent, e)
	}
	return errs
}

func TestMessagesThatAreNoEvents(t *testing.T) {
	t.Parallel()
	source := records{{
		Topic: "orders.events", Partition: 3, Offset: 41, Time: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC),
		Key: []byte("order\xff1"), Value: []byte("\x00 not json"),
		Headers: []record.Header{
			{Key: "Content-Type", Value: []byte("Text/Plain")}, {Key: "X-Trace_Id", Value: []byte("abc\n")}, {Key: "--", Value: []byte("x")},
		},
		Err: errors.New("not a CloudEvent: unknown Message encoding"),
	}}
	bus := &refusing{failures: 2}
	second := paid("http://127.0.0.1:1/")
	second.Name = "order-created"
	broker, err := localbroker.New([]localbroker.Trigger{paid("http://127.0.0.1:1/"), second},
		localbroker.Topics{Events: "orders.events", DeadLetters: "orders.dead-letters"}, source, bus, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := broker.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"orders.dead-letters"}, bus.topics); diff != "" {
		t.Fatalf("one trigger handles it, and retries: %s", diff)
	}
	got := bus.sent[0]
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
	want := cloudevent.Empty()
	want.SetID("partition:3/offset:41")
	want.SetType("dev.knative.kafka.event")
	want.SetSource("/orderbell/local-broker#orders.events")
	want.SetSubject("partition:3#41")
	want.SetTime(source[0].Time)
	want.SetDataContentType("text/plain")
	want.SetExtension("partitionkey", "order 1")
	want.SetExtension("key", "order 1")
	want.SetExtension("kafkaheaderxtraceid", "abc ")
	want.SetExtension("knativekafkapartition", "3")
	want.SetExtension("knativekafkaoffset", "41")
	want.SetExtension("reason", "not a CloudEvent: unknown Message encoding")
	want.DataEncoded = source[0].Value
	if diff := cmp.Diff(want.String(), got.String()); diff != "" {
		t.Error(diff)
	}
}

func TestAnEventOfAnUnknownTypeIsNotSkipped(t *testing.T) {
	t.Parallel()
	e := newEvent("1", "order_shipped")
	bus := &refusing{}
	second := paid("http://127.0.0.1:1/")
	second.Name = "order-created"
	broker, err := localbroker.New([]localbroker.Trigger{paid("http://127.0.0.1:1/"), second},
		localbroker.Topics{DeadLetters: "orders.dead-letters"}, records{{Partition: 3, Offset: 41, Event: e}}, bus, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := broker.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"orders.dead-letters"}, bus.topics); diff != "" {
		t.Fatal(diff)
	}
	want := e.Clone()
	want.SetExtension("knativekafkapartition", "3")
	want.SetExtension("knativekafkaoffset", "41")
	want.SetExtension("reason", `type "order_shipped" is unknown: use one of order_created, order_paid, order_status_updated`)
	if diff := cmp.Diff(want.String(), bus.sent[0].String()); diff != "" {
		t.Error(diff)
	}
}

func TestAStructuredEventThatIsBrokenDoesNotLookLikeOne(t *testing.T) {
	t.Parallel()
	source := records{{
		Value:   []byte("{"),
		Headers: []record.Header{{Key: "content-type", Value: []byte("application/cloudevents+json")}}, Err: errors.New("not a CloudEvent"),
	}}
	bus := &refusing{}
	broker, err := localbroker.New([]localbroker.Trigger{paid("http://127.0.0.1:1/")}, localbroker.Topics{}, source, bus, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := broker.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := bus.sent[0].DataContentType(); got != "application/octet-stream" {
		t.Errorf("content type %s", got)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	change := func(f func(*localbroker.Trigger)) []localbroker.Trigger {
		trigger := paid("http://127.0.0.1:1/")
		f(&trigger)
		return []localbroker.Trigger{trigger}
	}
	for name, tt := range map[string]struct {
		triggers []localbroker.Trigger
		want     string
	}{
		"no name":       {change(func(t *localbroker.Trigger) { t.Name = "" }), "no name"},
		"same name":     {append(change(func(*localbroker.Trigger) {}), paid("http://127.0.0.1:2/")), `"order-paid": the name is taken`},
		"unknown type":  {change(func(t *localbroker.Trigger) { t.Type = "x" }), `type "x" is unknown`},
		"no URL":        {change(func(t *localbroker.Trigger) { t.Subscriber = "order-paid" }), `subscriber "order-paid" is not an http URL`},
		"no host":       {change(func(t *localbroker.Trigger) { t.Subscriber = "http:///x" }), "is not an http URL"},
		"none at once":  {change(func(t *localbroker.Trigger) { t.InFlight = 0 }), "0 events in flight"},
		"negative":      {change(func(t *localbroker.Trigger) { t.Delivery.Retry = -1 }), "may not be negative"},
		"never patient": {change(func(t *localbroker.Trigger) { t.Delivery.Timeout = 0 }), "more than 0"},
		"default":       {change(func(t *localbroker.Trigger) { t.Delivery = localbroker.DefaultDelivery() }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := localbroker.New(tt.triggers, localbroker.Topics{}, nil, nil, slog.New(slog.DiscardHandler))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}
