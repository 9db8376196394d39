// Package localbroker delivers the events of a topic to functions on one machine by the rules of Knative's Kafka Broker,
// so that what works here works there.
//
// The rules, as its dispatcher has them (eventing-kafka-broker, RecordDispatcherImpl and WebClientCloudEventSender):
//   - Each trigger is a consumer group and filters by the exact type.
//   - Ordered delivery has one event of a partition in flight, from the first attempt to the last. Unordered delivery has
//     max.poll.records in flight over all partitions. Events that wait for a retry count: while all wait, nothing new is read.
//   - An event is POSTed in binary mode. Any status from 300 on is a failure, redirects included. Statuses from 500 on,
//     404, 408, 409, 429, timeouts and connection errors are retried, up to retry times; so there are retry+1
//     attempts. Others are not retried. Retry-After is ignored.
//   - Before the n-th retry it waits backoffDelay × 2^n: with PT0.2S that is 0.4 s, 0.8 s, and so on.
//   - An answer below 300 without a body is success. One that is a CloudEvent goes to the topic as a new event. One with
//     a body that is not a CloudEvent is a failure without a retry.
//   - A delivery, and its dead letter, has the extensions knativekafkapartition and knativekafkaoffset: the record's place.
//   - A failed event goes to the dead letters with the extension knativeerrordest, the subscriber's address; if the
//     subscriber had answered, knativeerrorcode, its status, and knativeerrordata, base64 of the first 1024 bytes of the
//     body if it has one, and each header kne-NAME as the extension NAME.
//   - A dead letter that is not taken is retried by the same schedule, and then dropped with its event.
//
// It differs in one point: a record that is not a CloudEvent, or whose type no function takes, becomes a dead letter, where Knative
// skips it.
package localbroker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"orderbell/internal/backoff"
	"orderbell/internal/bus/record"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
	"orderbell/internal/text"
)

// Trigger sends the events of one type to one subscriber.
type Trigger struct {
	Name       string // the consumer group
	Type       event.Type
	Subscriber string // an absolute http URL
	Secret     string // the secret that identifies the sender; "" sends none. Knative sends a token of the Trigger's service account
	Ordered    bool   // one event of a partition at once
	InFlight   int    // events at once over all partitions, those that wait for a retry included: max.poll.records
	Delivery   Delivery
}

// Delivery is a Trigger's spec.delivery.
type Delivery struct {
	Retry        int           // attempts after the first
	BackoffDelay time.Duration // see the package comment
	Timeout      time.Duration // of one attempt
}

// DefaultDelivery has the defaults of Knative's Kafka Broker. Its 10 retries take 409 s in total.
func DefaultDelivery() Delivery {
	return Delivery{Retry: 10, BackoffDelay: 200 * time.Millisecond, Timeout: 10 * time.Minute}
}

// Topics are the names of the topics.
type Topics struct{ Events, DeadLetters string }

// Source reads the topic.
type Source interface {
	// Consume calls handle as a member of group, with up to inFlight messages of a partition at once, until ctx ends. A
	// message whose handler failed is handled again.
	Consume(ctx context.Context, group string, inFlight int, handle func(context.Context, record.Record) error) error
}

// Bus takes dead letters and answers.
type Bus interface {
	// Send returns one error per event, nil where Kafka has it.
	Send(ctx context.Context, topic string, events []cloudevent.Event) []error
}

// Broker is made by [New].
type Broker struct {
	triggers []Trigger
	topics   Topics
	source   Source
	bus      Bus
	log      *slog.Logger
	client   *http.Client
}

// New returns a broker that does nothing until [Broker.Run].
func New(triggers []Trigger, topics Topics, source Source, bus Bus, log *slog.Logger) (*Broker, error) {
	names := map[string]bool{}
	most := 0
	for _, t := range triggers {
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("trigger %q: %w", t.Name, err)
		}
		if names[t.Name] {
			return nil, fmt.Errorf("trigger %q: the name is taken; each is a consumer group of its own", t.Name)
		}
		names[t.Name] = true
		most += t.InFlight
	}
	transport := &http.Transport{MaxIdleConnsPerHost: most, IdleConnTimeout: time.Minute}
	return &Broker{
		triggers: triggers, topics: topics, source: source, bus: bus, log: log,
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func (t Trigger) check() error {
	subscriber, err := url.Parse(t.Subscriber)
	switch {
	case t.Name == "":
		return errors.New("it has no name")
	case !t.Type.Valid():
		return fmt.Errorf("type %q is unknown: use one of %s", t.Type, text.List(event.Types()))
	case err != nil || (subscriber.Scheme != "http" && subscriber.Scheme != "https") || subscriber.Host == "":
		return fmt.Errorf("subscriber %q is not an http URL", t.Subscriber)
	case t.InFlight < 1:
		return fmt.Errorf("%d events in flight, want 1 or more", t.InFlight)
	case t.Delivery.Retry < 0 || t.Delivery.BackoffDelay < 0 || t.Delivery.Timeout <= 0:
		return fmt.Errorf("delivery %+v: retry and backoff may not be negative, and the timeout must be more than 0", t.Delivery)
	}
	return nil
}

// Run delivers until ctx ends. Messages under way are not committed and are delivered again by the next Run.
func (b *Broker) Run(ctx context.Context) error {
	defer b.client.CloseIdleConnections()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	errs := make([]error, len(b.triggers))
	for i, t := range b.triggers {
		slots := make(chan struct{}, t.InFlight) // of all partitions
		perPartition := t.InFlight
		if t.Ordered {
			perPartition = 1
		}
		running.Go(func() {
			errs[i] = b.source.Consume(ctx, t.Name, perPartition, func(ctx context.Context, r record.Record) error {
				select {
				case slots <- struct{}{}:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
				defer func() { <-slots }()
				return b.deliver(ctx, t, r, i == 0)
			})
			if errs[i] != nil {
				cancel(errs[i]) // a trigger that fails permanently stops all of them, so that the failure is noticed
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// deliver sends r to t's subscriber or to the dead letters. Its only error is the end of ctx. A record that no function
// takes is handled by one trigger only.
func (b *Broker) deliver(ctx context.Context, t Trigger, r record.Record, caretaker bool) error {
	if letter, ok := r.DeadLetter("/orderbell/local-broker"); ok {
		if !caretaker {
			return nil
		}
		b.log.ErrorContext(ctx, "record is invalid and becomes a dead letter",
			"topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "reason", deadletter.Reason(letter))
		return b.publish(ctx, b.topics.DeadLetters, letter)
	}
	if r.Event.Type() != string(t.Type) {
		return nil
	}
	e := deadletter.AtRecord(r.Event, r.Partition, r.Offset)
	f := b.attempt(ctx, t, e)
	for retry := 1; f != nil && f.retryable && retry <= t.Delivery.Retry; retry++ {
		pause := t.Delivery.pause(retry)
		b.log.WarnContext(ctx, "event not delivered", "trigger", t.Name, "event_id", r.Event.ID(),
			"err", f.err, "retry", retry, "in", pause)
		if !backoff.Sleep(ctx, pause) {
			return context.Cause(ctx)
		}
		f = b.attempt(ctx, t, e)
	}
	switch {
	case f == nil:
		return nil
	case ctx.Err() != nil: // cancelled by us, so no result for the event
		return context.Cause(ctx)
	}
	b.log.ErrorContext(ctx, "event becomes a dead letter", "trigger", t.Name, "event_id", r.Event.ID(), "err", f.err)
	return b.bury(ctx, t, f.answer.DeadLetter(e))
}

// bury tries to write letter as often as t allows. Its only error is the end of ctx.
func (b *Broker) bury(ctx context.Context, t Trigger, letter cloudevent.Event) error {
	for retry := 1; ; retry++ {
		err := b.bus.Send(ctx, b.topics.DeadLetters, []cloudevent.Event{letter})[0]
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if retry > t.Delivery.Retry {
			b.log.ErrorContext(ctx, "event is dropped: its dead letter was not taken", "trigger", t.Name, "event_id", letter.ID(), "err", err)
			return nil
		}
		if !backoff.Sleep(ctx, t.Delivery.pause(retry)) {
			return context.Cause(ctx)
		}
	}
}

// pause is the wait before a retry, 1 at first.
func (d Delivery) pause(retry int) time.Duration {
	return d.BackoffDelay << min(retry, 30) // more would overflow
}

// publish sends e until Kafka has it.
func (b *Broker) publish(ctx context.Context, topic string, e cloudevent.Event) error {
	again := backoff.New(100*time.Millisecond, 5*time.Second)
	for {
		err := b.bus.Send(ctx, topic, []cloudevent.Event{e})[0]
		if err == nil {
			return nil
		}
		pause := again.Next()
		b.log.WarnContext(ctx, "event not written", "topic", topic, "event_id", e.ID(), "err", err, "again_in", pause)
		if !backoff.Sleep(ctx, pause) {
			return context.Cause(ctx)
		}
	}
}
