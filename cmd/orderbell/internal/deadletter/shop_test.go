package deadletter_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/metric/noop"

	"orderbell/cmd/orderbell/internal/auditstore"
	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/cmd/orderbell/internal/localbroker"
	"orderbell/internal/bus"
	"orderbell/internal/duration"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/feed"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/feed/message"
	"orderbell/internal/order"
	"orderbell/internal/pipeline"
	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/store/orderstore"
	"orderbell/internal/store/outbox"
)

const replay = 15 * time.Minute

// shop is the path of orders on embedded stores: outbox, Kafka, the local broker with Knative's rules, a function, records, Redis.
type shop struct {
	*testBundle

	t      *testing.T
	pool   *database.Pool
	orders *orderstore.Store
	outbox *outbox.Outbox
	feed   *feed.Feed
	repair deadletter.Repair

	down        atomic.Bool  // the function refuses everything
	mute        atomic.Bool  // it cannot publish
	noLetters   atomic.Bool  // the topic of dead letters takes nothing
	lettersLeft atomic.Int32 // that the topic takes before it takes nothing; less than 0: all
}

func openShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{testBundle: setup(t), t: t, pool: databasetest.New(t)}
	s.lettersLeft.Store(-1)
	s.orders, s.outbox = orderstore.New(s.pool), outbox.New(s.pool)
	s.exec(`INSERT INTO tenants (id, name) VALUES ('demo', 'Demo')`)
	s.exec(`INSERT INTO users (id, tenant_id, email, roles, notification_in_app_events) VALUES (gen_random_uuid(), 'demo', 'cook@x.example', '{kitchen}', '{order_created}')`)
	server, client := feedtest.InMemory(t)
	var err error
	if s.feed, err = feed.Open(feed.Config{URL: server.URL(), ReplayTTL: duration.Seconds(replay), ReplayMax: 4096, ReplayBytes: 8 << 20, Sharded: "auto"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.feed.Close() })
	// The stream began well before, so Redis has lost nothing.
	old := strconv.FormatInt(time.Now().Add(2*time.Minute-replay).UnixMilli(), 10) + "-0"
	if err := client.XAdd(t.Context(), &redis.XAddArgs{Stream: "orders:{demo}:stream", ID: old, Values: []string{"p", "0-0", "d", "{}"}}).Err(); err != nil {
		t.Fatal(err)
	}
	s.Bus = s
	s.run()
	return s
}

// run runs the broker with one trigger for each type of event, and a quick delivery.
func (s *shop) run() {
	t := s.t
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c := bus.Config{Brokers: s.brokers, Topic: s.Topics.Events, DeadLetterTopic: s.Topics.DeadLetters}
	consumer, err := bus.NewConsumer(c, bus.Earliest, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var triggers []localbroker.Trigger
	for _, kind := range event.Types() {
		triggers = append(triggers, localbroker.Trigger{
			Name: string(kind), Type: kind, Subscriber: server.URL + "/", InFlight: 50,
			Delivery: localbroker.Delivery{Retry: 2, BackoffDelay: time.Millisecond, Timeout: patience},
		})
	}
	b, err := localbroker.New(triggers, localbroker.Topics(s.Topics), consumer, s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	admin, err := bus.NewAdmin(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	s.repair = deadletter.Repair{
		Outbox: auditstore.New(s.pool), Feed: s.feed, Replay: replay, Settle: deadletter.Settle,
		Oldest: admin.Oldest,
	}
	for _, trigger := range triggers {
		s.repair.Groups = append(s.repair.Groups, trigger.Name)
	}
}

// ServeHTTP is the function of all events.
func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	ce, err := binding.ToEvent(r.Context(), cehttp.NewMessage(r.Header, r.Body))
	if err != nil {
		s.t.Error(err)
		return
	}
	e, err := cloudevent.Parse(*ce)
	if err != nil {
		s.t.Error(err)
		return
	}
	p, err := pipeline.New(pipeline.Config{RetentionDays: 45}, eventstore.New(s.pool, "orderbell.example"), s, nil, slog.New(slog.DiscardHandler), noop.Meter{})
	if err != nil {
		s.t.Error(err)
		return
	}
	if err := p.Handle(r.Context(), e); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (s *shop) Publish(ctx context.Context, tenantID string, m message.Message) error {
	if s.mute.Load() {
		return errMood
	}
	return s.feed.Publish(ctx, tenantID, m)
}

func (s *shop) Send(ctx context.Context, topic string, events []cloudevent.Event) []error {
	errs := make([]error, len(events))
	for i := range events {
		if topic == s.Topics.DeadLetters && (s.noLetters.Load() || s.lettersLeft.Load() == 0) {
			errs[i] = errMood
			continue
		}
		if topic == s.Topics.DeadLetters {
			s.lettersLeft.Add(-1)
		}
		errs[i] = s.producer.Send(ctx, topic, events[i:i+1])[0]
	}
	return errs
}

func (s *shop) exec(sql string) {
	s.t.Helper()
	if _, err := s.pool.Exec(s.t.Context(), sql); err != nil {
		s.t.Fatal(err)
	}
}

// sell creates an order and sends its event, and returns the event's id after the broker has handled it.
func (s *shop) sell() string {
	t := s.t
	t.Helper()
	if _, err := s.orders.Create(t.Context(), order.Order{TotalAmount: 1250, Currency: "EUR"}, order.Request{TenantID: "demo"}); err != nil {
		t.Fatal(err)
	}
	var id string
	if _, err := s.outbox.Take(t.Context(), 0, 16, 10, func(ctx context.Context, rows []event.Outgoing) (sent []int64) {
		for _, row := range rows {
			ce, err := cloudevent.FromOutbox(row)
			if err != nil {
				t.Error(err)
				continue
			}
			s.send(t, s.Topics.Events, ce)
			id, sent = row.ID, append(sent, row.Position)
		}
		return sent
	}); err != nil {
		t.Fatal(err)
	}
	s.await("the broker to be done", s.brokerIsDone)
	return id
}

func (s *shop) brokerIsDone() error {
	for _, group := range s.repair.Groups {
		oldest, err := s.repair.Oldest(s.ctx, group)
		if err != nil || !oldest.IsZero() {
			return fmt.Errorf("group %s waits since %s, error %w", group, oldest, err)
		}
	}
	return nil
}

func (s *shop) await(what string, cond func() error) {
	s.t.Helper()
	for {
		err := cond()
		if err == nil {
			return
		}
		select {
		case <-s.ctx.Done():
			s.t.Fatalf("waited for %s: %v", what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// age makes everything that was sent and recorded ten minutes older.
func (s *shop) age() {
	s.t.Helper()
	s.exec(`UPDATE outbox SET sent_at = sent_at - interval '10 minutes'`)
	s.exec(`UPDATE event_records SET received_at = received_at - interval '10 minutes'`)
}

// mend runs a repair, and returns the ids of the events that it found.
func (s *shop) mend() (found []string) {
	s.t.Helper()
	dropped, err := s.Repair(s.ctx, s.repair, false)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, d := range dropped {
		found = append(found, d.EventID)
	}
	return found
}

// trail is how many records, notifications and entries of the stream an event has.
func (s *shop) trail(id string) (n [3]int) {
	s.t.Helper()
	if err := s.pool.QueryRow(s.t.Context(), `SELECT (SELECT count(*) FROM event_records WHERE event_id = $1), (SELECT count(*) FROM notifications WHERE event_id = $1)`, id).
		Scan(&n[0], &n[1]); err != nil {
		s.t.Fatal(err)
	}
	entries, _, err := s.feed.Read(s.ctx, "demo", message.Position{}, 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Message.ID == id {
			n[2]++
		}
	}
	return n
}
