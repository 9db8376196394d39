// Package bustest is the conformance suite of internal/bus: the guarantees of the bus must hold on the embedded Kafka and on a real
// one. A stand-in that has not passed it may not be used.
package bustest

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/google/uuid"

	"orderbell/internal/bus"
	"orderbell/internal/bus/record"
	"orderbell/internal/event/cloudevent"
)

// Server is the Kafka under test.
type Server struct {
	Brokers []string
	Restart func(testing.TB) // stops it, starts it with the same address and data, and returns when that is done
}

// Run runs the suite. Every test has topics and groups of its own.
func Run(t *testing.T, server Server) {
	t.Helper()
	t.Run("together", func(t *testing.T) {
		t.Parallel()
		for name, test := range map[string]func(*testing.T, Server){
			"an event arrives as it was sent":                             testRoundTrip,
			"an order's events arrive in order":                           testOrder,
			"a big batch arrives whole":                                   testBigBatch,
			"an event that Kafka cannot hold harms no other":              testTooLarge,
			"a message that is not a CloudEvent is handed out":            testUndecodable,
			"a message whose handler fails is handed out again":           testHandlerError,
			"a message under way is handed out again after a crash":       testCrash,
			"with many in flight nothing is marked before its turn":       testInFlight,
			"with many in flight messages of one key are handled in turn": testByKey,
			"partitions move between members without loss":                testRebalance,
			"a group that begins at the latest sees no older message":     testLatest,
			"a topic that is missing is an error, then waited for":        testMissingTopic,
			"lag counts what a group has not committed":                   testLag,
			"a reader reads the current messages only":                    testRead,
			"a reader begins at a time":                                   testReadSince,
			"a reader of a topic that is missing fails":                   testReadNothing,
			"topics are created once and stay":                            testEnsureTopics,
			"a call ends with its context":                                testContext,
			"a producer that was closed refuses, and closes only once":    testClosed,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, server)
			})
		}
	})
}

// RunRestart runs the tests that need their own server.
func RunRestart(t *testing.T, server Server) {
	t.Helper()
	t.Run("a broker's restart loses nothing", func(t *testing.T) { testRestart(t, server) })
}

// patience bounds each test. It is longer than a group's session timeout on a busy machine.
const patience = 90 * time.Second

// partitions is large enough to distribute keys.
const partitions = 4

// topics creates topics for one test and returns a configuration with them.
func topics(t *testing.T, server Server) bus.Config {
	t.Helper()
	c := config(server)
	admin := newAdmin(t, c)
	if err := admin.EnsureTopics(deadline(t), partitions, 1); err != nil {
		t.Fatal(err)
	}
	return c
}

func config(server Server) bus.Config {
	id := uuid.NewString()
	return bus.Config{Brokers: server.Brokers, Topic: "events-" + id, DeadLetterTopic: "dead-letters-" + id}
}

func deadline(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	tb.Cleanup(cancel)
	return ctx
}

func newAdmin(t *testing.T, c bus.Config) *bus.Admin {
	t.Helper()
	admin, err := bus.NewAdmin(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	return admin
}

func newProducer(t *testing.T, c bus.Config) *bus.Producer {
	t.Helper()
	producer, err := bus.NewProducer(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	return producer
}

// send sends events and expects no error.
func send(t *testing.T, p *bus.Producer, topic string, events ...cloudevent.Event) {
	t.Helper()
	for i, err := range p.Send(deadline(t), topic, events) {
		if err != nil {
			t.Fatalf("event %d of %d: %v", i, len(events), err)
		}
	}
}

// newEvent returns an event of an order: its n-th.
func newEvent(key string, n int) cloudevent.Event {
	e := cloudevent.Empty()
	e.SetID(uuid.NewString())
	e.SetSource("/bustest")
	e.SetType("order_created")
	e.SetExtension("partitionkey", key)
	e.SetExtension("sequence", strconv.Itoa(n))
	if err := e.SetData(cloudevent.JSON, map[string]any{"key": key, "n": n}); err != nil {
		panic(err) // a map of strings and numbers always encodes
	}
	return e
}

// nth is the number that newEvent was given.
func nth(t *testing.T, r record.Record) (string, int) {
	t.Helper()
	if r.Err != nil {
		t.Errorf("message at %d/%d: %v", r.Partition, r.Offset, r.Err)
		return "", 0
	}
	n, err := strconv.Atoi(fmt.Sprint(r.Event.Extensions()["sequence"]))
	if err != nil {
		t.Errorf("message at %d/%d: sequence: %v", r.Partition, r.Offset, err)
	}
	return string(r.Key), n
}

// member is a consumer that runs.
type member struct {
	stop func() // ends it and waits for it
}

// consume starts a member of group that begins at the earliest message.
func consume(t *testing.T, c bus.Config, group string, inFlight int, handle func(context.Context, record.Record) error) member {
	t.Helper()
	return consumeFrom(t, c, bus.Earliest, group, inFlight, handle)
}

// consumeByKey is consume for a member that keeps the order of each key.
func consumeByKey(t *testing.T, c bus.Config, group string, inFlight int, handle func(context.Context, record.Record) error) member {
	t.Helper()
	return start(t, c, bus.Earliest, func(ctx context.Context, consumer *bus.Consumer) error {
		return consumer.ConsumeByKey(ctx, group, inFlight, handle)
	})
}

func consumeFrom(t *testing.T, c bus.Config, from bus.Start, group string, inFlight int, handle func(context.Context, record.Record) error) member {
	t.Helper()
	return start(t, c, from, func(ctx context.Context, consumer *bus.Consumer) error {
		return consumer.Consume(ctx, group, inFlight, handle)
	})
}

func start(t *testing.T, c bus.Config, from bus.Start, run func(context.Context, *bus.Consumer) error) member {
	t.Helper()
	consumer, err := bus.NewConsumer(c, from, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(deadline(t))
	done := make(chan error, 1)
	go func() { done <- run(ctx, consumer) }()
	var stopped bool
	m := member{stop: func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Consume returned %v", err)
		}
	}}
	t.Cleanup(m.stop)
	return m
}

// into returns a handler that passes records on, for tests that read them one by one.
func into(records chan<- record.Record) func(context.Context, record.Record) error {
	return func(ctx context.Context, r record.Record) error {
		select {
		case records <- r:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// next waits for a record.
func next(t *testing.T, records <-chan record.Record) record.Record {
	t.Helper()
	select {
	case r := <-records:
		return r
	case <-deadline(t).Done():
		t.Fatal("no message came")
		return record.Record{}
	}
}

// sendRaw writes a message that did not pass the encoder.
func sendRaw(t *testing.T, c bus.Config, m *sarama.ProducerMessage) {
	t.Helper()
	settings := sarama.NewConfig()
	settings.Version = sarama.V4_0_0_0
	settings.Producer.Return.Successes = true
	producer, err := sarama.NewSyncProducer(c.Brokers, settings)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = producer.Close() }()
	m.Topic = c.Topic
	if _, _, err := producer.SendMessage(m); err != nil {
		t.Fatal(err)
	}
}
