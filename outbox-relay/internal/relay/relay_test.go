package relay_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/goleak"

	"orderbell/internal/bus"
	"orderbell/internal/bus/record"
	"orderbell/internal/dev/embedded"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/order"
	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/outbox"
	"orderbell/outbox-relay/internal/relay"
)

// patience bounds each test: a busy machine and an outage both fit in.
const patience = 2 * time.Minute

// stack is a database, a Kafka that can be stopped, and a reader of its topics.
type stack struct {
	address string // of the database
	pool    *database.Pool
	kafka   *embedded.Kafka
	options embedded.KafkaOptions
	config  bus.Config
	ctx     context.Context
	events  *topic
	letters *topic
}

func setup(t *testing.T) *stack {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	s := &stack{ctx: ctx, address: databasetest.URL(t), options: embedded.KafkaOptions{DataDir: t.TempDir()}}
	s.pool = databasetest.Open(t, s.address)
	s.startKafka(t)
	t.Cleanup(func() { s.kafka.Stop() })
	s.config = bus.Config{Brokers: []string{s.kafka.Brokers()}, Topic: "orders.events", DeadLetterTopic: "orders.dead-letters"}
	admin, err := bus.NewAdmin(s.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.EnsureTopics(ctx, 4, 1); err != nil {
		t.Fatal(err)
	}
	admin.Close()
	s.events, s.letters = s.read(t, s.config.Topic), s.read(t, s.config.DeadLetterTopic)
	return s
}

func (s *stack) startKafka(t *testing.T) {
	t.Helper()
	kafka, err := embedded.StartKafka(s.options)
	if err != nil {
		t.Fatal(err)
	}
	s.kafka = kafka
	if _, err := fmt.Sscanf(kafka.Brokers(), "127.0.0.1:%d", &s.options.Port); err != nil {
		t.Fatal(err)
	}
}

// topic is what a topic holds, as far as it was read.
type topic struct {
	mu      sync.Mutex
	records []record.Record
	first   map[string]bool
	news    chan struct{}
}

// read follows the topic called name.
func (s *stack) read(t *testing.T, name string) *topic {
	t.Helper()
	config := s.config
	config.Topic = name
	consumer, err := bus.NewConsumer(config, bus.Earliest, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	tp := &topic{first: map[string]bool{}, news: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan error, 1)
	go func() {
		done <- consumer.Consume(ctx, "test", 1, func(_ context.Context, r record.Record) error {
			tp.mu.Lock()
			defer tp.mu.Unlock()
			tp.records = append(tp.records, r)
			tp.first[r.Event.ID()] = true
			select {
			case tp.news <- struct{}{}:
			default:
			}
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return tp
}

// await waits until n different events were read, and returns all records.
func (s *stack) await(t *testing.T, tp *topic, n int) []record.Record {
	t.Helper()
	for {
		tp.mu.Lock()
		got, records := len(tp.first), append([]record.Record(nil), tp.records...)
		tp.mu.Unlock()
		if got >= n {
			return records
		}
		select {
		case <-tp.news:
		case <-s.ctx.Done():
			t.Fatalf("%d of %d events came", got, n)
		}
	}
}

// start starts a relay of its own connections. The returned function stops it and waits for its batches.
func (s *stack) start(t *testing.T) (stop func()) {
	t.Helper()
	_, stop = s.startWith(t, relay.Config{Workers: 2, BatchSize: 50, IdleInterval: 5 * time.Millisecond})
	return stop
}

func (s *stack) startWith(t *testing.T, cfg relay.Config) (r *relay.Relay, stop func()) {
	t.Helper()
	producer, err := bus.NewProducer(s.config)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := bus.NewAdmin(s.config)
	if err != nil {
		t.Fatal(err)
	}
	pool := databasetest.Open(t, s.address)
	r, err = relay.New(cfg, relay.Topics{Events: s.config.Topic, DeadLetters: s.config.DeadLetterTopic}, outbox.New(pool),
		producer, admin, slog.New(slog.DiscardHandler), noop.Meter{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	r.Start(ctx)
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			r.Wait(s.ctx)
			producer.Close()
			admin.Close()
		})
	}
	t.Cleanup(stop)
	return r, stop
}

// write commits the next event of each order, as order-api does, and returns their ids. The n-th event has version n.
func (s *stack) write(t *testing.T, orders []string, version int) {
	t.Helper()
	for _, id := range orders {
		data := orderData(t, id, version)
		_, err := s.pool.Exec(s.ctx, `
INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at)
VALUES ($1, $2, $3, $4, 'demo', $5, $6, now())`,
			int(id[0])%16, uuid.Must(uuid.NewV7()).String(), event.Source, eventType(version), id, data)
		if err != nil {
			t.Fatal(err)
		}
	}
}

func eventType(version int) event.Type {
	if version == 1 {
		return event.OrderCreated
	}
	return event.OrderPaid
}

func orderData(tb testing.TB, id string, version int) []byte {
	tb.Helper()
	status := order.Submitted
	if version > 1 {
		status = order.Paid
	}
	data, err := json.Marshal(event.Data{
		OrderID: id, TenantID: "demo", Status: status, TotalAmount: 100, Currency: "IDR", Version: int64(version), Timestamp: time.Now().UTC(),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func newOrders(n int) []string {
	orders := make([]string, n)
	for i := range orders {
		orders[i] = uuid.NewString()
	}
	return orders
}

// checkOrder fails if the first copies of an order's events are not in the order of its versions.
func checkOrder(t *testing.T, records []record.Record) {
	t.Helper()
	next := map[string]int64{}
	for _, r := range records {
		e, err := cloudevent.Parse(r.Event)
		if err != nil {
			t.Fatal(err)
		}
		if want := next[e.Data.OrderID] + 1; e.Data.Version > want {
			t.Errorf("order %s: version %d came before version %d", e.Data.OrderID, e.Data.Version, want)
		}
		next[e.Data.OrderID] = max(next[e.Data.OrderID], e.Data.Version)
	}
}

func (s *stack) checkAllMarked(t *testing.T) {
	t.Helper()
	unsent, _, err := outbox.New(s.pool).Backlog(s.ctx)
	if err != nil || unsent != 0 {
		t.Errorf("%d events are not marked (%v)", unsent, err)
	}
}

// awaitMarked waits until the relay has marked all it sent.
func (s *stack) awaitMarked(t *testing.T) {
	t.Helper()
	s.eventually(t, func() string {
		unsent, _, err := outbox.New(s.pool).Backlog(s.ctx)
		if err != nil || unsent != 0 {
			return fmt.Sprintf("%d events are not marked (%v)", unsent, err)
		}
		return ""
	})
}

func TestRelay(t *testing.T) {
	t.Parallel()

	t.Run("every event arrives once and valid while nothing fails, however many relays run", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		stops := []func(){s.start(t), s.start(t), s.start(t)}
		orders := newOrders(40)
		for version := 1; version <= 6; version++ {
			s.write(t, orders, version)
		}
		records := s.await(t, s.events, 40*6)
		for _, stop := range stops {
			stop()
		}
		checkOrder(t, records)
		s.checkAllMarked(t)
		if len(records) != 40*6 {
			t.Errorf("%d records of %d events", len(records), 40*6)
		}
	})

	t.Run("a backlog goes out in order", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		orders := newOrders(30)
		for version := 1; version <= 5; version++ {
			s.write(t, orders, version)
		}
		stop := s.start(t)
		checkOrder(t, s.await(t, s.events, 30*5))
		stop()
		s.checkAllMarked(t)
	})

	t.Run("a hint ends the pause", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		orders := newOrders(8)
		s.write(t, orders, 1)
		r, _ := s.startWith(t, relay.Config{Workers: 1, BatchSize: 50, IdleInterval: time.Hour})
		s.await(t, s.events, len(orders))
		s.awaitMarked(t)
		s.write(t, orders, 2)
		r.Hint()
		checkOrder(t, s.await(t, s.events, 2*len(orders)))
	})

	t.Run("relays come and go", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		orders := newOrders(20)
		stop := s.start(t)
		for version := 1; version <= 20; version++ {
			s.write(t, orders, version)
			if version%5 == 0 {
				successor := s.start(t)
				stop()
				stop = successor
			}
		}
		checkOrder(t, s.await(t, s.events, 20*20))
		stop()
		s.checkAllMarked(t)
	})

	t.Run("broken database connections lose and reorder nothing", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		orders := newOrders(20)
		stop, second := s.start(t), s.start(t)
		for version := 1; version <= 30; version++ {
			s.write(t, orders, version)
			_, err := s.pool.Exec(s.ctx, `
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND query !~ '^\s*(INSERT|SELECT pg_terminate)' AND pid % 2 = $1`, version%2)
			if err != nil {
				t.Fatal(err)
			}
		}
		checkOrder(t, s.await(t, s.events, 20*30))
		stop()
		second()
		s.checkAllMarked(t)
	})

	t.Run("an outage of Kafka loses and reorders nothing", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		orders := newOrders(20)
		stop := s.start(t)
		for version := 1; version <= 12; version++ {
			s.write(t, orders, version)
			if version%4 == 0 {
				s.kafka.Stop()
				s.startKafka(t)
			}
		}
		checkOrder(t, s.await(t, s.events, 20*12))
		stop()
		s.checkAllMarked(t)
	})
}

func TestGoroutinesEnd(t *testing.T) { // not parallel: it counts goroutines
	databasetest.URL(t) // the server that all tests share stays
	ignore := []goleak.Option{
		goleak.IgnoreCurrent(),
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"), // the Kafka client's clock, one for ever
	}
	t.Cleanup(func() { goleak.VerifyNone(t, ignore...) })
	t.Run("after a relay has stopped", func(t *testing.T) {
		s := setup(t)
		stop := s.start(t)
		s.write(t, newOrders(3), 1)
		s.await(t, s.events, 3)
		stop()
	})
}
