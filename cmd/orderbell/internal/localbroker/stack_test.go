package localbroker_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"orderbell/cmd/orderbell/internal/localbroker"
	"orderbell/internal/bus"
	"orderbell/internal/bus/record"
	"orderbell/internal/dev/embedded"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
)

const patience = 60 * time.Second

// stack is a Kafka with topics, a subscriber that the test writes, and a broker between them.
type stack struct {
	config   bus.Config
	producer *bus.Producer
	letters  chan record.Record // the topic of dead letters
	ctx      context.Context
}

func setup(t *testing.T) *stack {
	t.Helper()
	kafka, err := embedded.StartKafka(embedded.KafkaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Stop)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	s := &stack{
		config:  bus.Config{Brokers: []string{kafka.Brokers()}, Topic: "orders.events", DeadLetterTopic: "orders.dead-letters"},
		letters: make(chan record.Record, 100), ctx: ctx,
	}
	admin, err := bus.NewAdmin(s.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	if err := admin.EnsureTopics(ctx, 1, 1); err != nil {
		t.Fatal(err)
	}
	if s.producer, err = bus.NewProducer(s.config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.producer.Close)
	s.consume(t, s.config.DeadLetterTopic, s.letters)
	return s
}

// consume reads topic into records.
func (s *stack) consume(t *testing.T, topic string, records chan<- record.Record) {
	t.Helper()
	config := s.config
	config.Topic = topic
	consumer := s.consumer(t, config)
	run(t, func(ctx context.Context) error {
		return consumer.Consume(ctx, "test", 1, func(_ context.Context, r record.Record) error {
			records <- r
			return nil
		})
	})
}

func (s *stack) consumer(t *testing.T, config bus.Config) *bus.Consumer {
	t.Helper()
	consumer, err := bus.NewConsumer(config, bus.Earliest, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return consumer
}

// run runs f until the test ends or stop is called.
func run(t *testing.T, f func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("run: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// broker runs a broker with triggers.
func (s *stack) broker(t *testing.T, triggers ...localbroker.Trigger) (stop func()) {
	t.Helper()
	b, err := localbroker.New(triggers, localbroker.Topics{Events: s.config.Topic, DeadLetters: s.config.DeadLetterTopic},
		s.consumer(t, s.config), s.producer, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return run(t, b.Run)
}

// paid is a trigger for order_paid to subscriber, ordered, with short pauses between retries.
func paid(subscriber string) localbroker.Trigger {
	return localbroker.Trigger{
		Name: "order-paid", Type: event.OrderPaid, Subscriber: subscriber, Ordered: true, InFlight: 50,
		Delivery: localbroker.Delivery{Retry: 3, BackoffDelay: time.Millisecond, Timeout: patience},
	}
}

func newEvent(id string, kind event.Type) cloudevent.Event {
	e := cloudevent.Empty()
	e.SetID(id)
	e.SetSource("/test")
	e.SetType(string(kind))
	e.SetSubject("order-1")
	e.SetTime(time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC))
	e.SetExtension(cloudevent.ExtPartitionKey, "order-1")
	e.SetExtension(cloudevent.ExtTenantID, "demo")
	e.DataEncoded = []byte(`{"a": 1}`)
	e.SetDataContentType(cloudevent.JSON)
	return e
}

func (s *stack) publish(t *testing.T, events ...cloudevent.Event) {
	t.Helper()
	for _, err := range s.producer.Send(s.ctx, s.config.Topic, events) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func next[T any](t *testing.T, s *stack, values <-chan T) T {
	t.Helper()
	select {
	case v := <-values:
		return v
	case <-s.ctx.Done():
		t.Fatal("nothing came")
		panic("not reached")
	}
}

// seen is one request that a subscriber got.
type seen struct {
	id     string
	header http.Header
	body   string
	at     time.Time
}

// subscriber answers with answer, and passes on each request.
func subscriber(t *testing.T, answer func(w http.ResponseWriter, id string, attempt int)) (address string, requests chan seen) {
	t.Helper()
	requests = make(chan seen, 1000)
	var mu sync.Mutex
	attempts := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		id := r.Header.Get("Ce-Id")
		mu.Lock()
		attempts[id]++
		attempt := attempts[id]
		mu.Unlock()
		requests <- seen{id: id, header: r.Header, body: string(body), at: time.Now()}
		answer(w, id, attempt)
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

func accept(w http.ResponseWriter, _ string, _ int) { w.WriteHeader(http.StatusAccepted) }
