package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/components/forwarder"
	"github.com/ThreeDotsLabs/watermill/message"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"orderbell/internal/bus"
	"orderbell/internal/dev/process"
	"orderbell/internal/duration"
	"orderbell/internal/feed"
	"orderbell/internal/store/database"
)

const (
	forwarderTitle = "Watermill's SQL forwarder, from a full outbox to Kafka"
	routerTitle    = "Watermill's Kafka router, the same work"
)

// Watermill runs a part of this peer until ctx ends: "forwarder", which takes its outbox to Kafka, or "router", whose handler does
// the work of order-paid as the serial one does, with as many events in flight as the topic has partitions.
func Watermill(ctx context.Context, part string) error {
	pool, err := openGiven(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	log := watermill.NewSlogLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	brokers := strings.Split(os.Getenv("KAFKA_BROKERS"), ",")
	switch part {
	case "forwarder":
		return forward(ctx, pool, brokers, log)
	case "router":
		return route(ctx, pool, brokers, log)
	}
	return fmt.Errorf("unknown part %q of Watermill, want forwarder or router", part)
}

func forward(ctx context.Context, pool *database.Pool, brokers []string, log watermill.LoggerAdapter) error {
	from, err := sql.NewSubscriber(sql.BeginnerFromPgx(pool), sql.SubscriberConfig{
		SchemaAdapter:  sql.DefaultPostgreSQLSchema{SubscribeBatchSize: relayBatch},
		OffsetsAdapter: sql.DefaultPostgreSQLOffsetsAdapter{},
		PollInterval:   50 * time.Millisecond, InitializeSchema: true,
	}, log)
	if err != nil {
		return fmt.Errorf("open Watermill's outbox: %w", err)
	}
	to, err := kafka.NewPublisher(kafka.PublisherConfig{Brokers: brokers, Marshaler: kafka.DefaultMarshaler{}, OverwriteSaramaConfig: peerClient()}, log)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	f, err := forwarder.NewForwarder(from, to, log, forwarder.Config{})
	if err != nil {
		return fmt.Errorf("make Watermill's forwarder: %w", err)
	}
	return f.Run(ctx) //nolint:wrapcheck // it says what failed
}

func route(ctx context.Context, pool *database.Pool, brokers []string, log watermill.LoggerAdapter) error {
	watchers, err := feed.Open(feed.Config{
		URL: os.Getenv("REDIS_URL"), ReplayTTL: duration.Seconds(15 * time.Minute), ReplayMax: 4096, ReplayBytes: 8 << 20, Sharded: "auto",
	})
	if err != nil {
		return err //nolint:wrapcheck // it says what is wrong
	}
	defer watchers.Close() //nolint:errcheck // the process ends
	from, err := kafka.NewSubscriber(kafka.SubscriberConfig{
		Brokers: brokers, Unmarshaler: kafka.DefaultMarshaler{}, OverwriteSaramaConfig: peerClient(), ConsumerGroup: os.Getenv("KAFKA_TOPIC"),
	}, log)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	router, err := message.NewRouter(message.RouterConfig{}, log)
	if err != nil {
		return fmt.Errorf("make Watermill's router: %w", err)
	}
	router.AddConsumerHandler("order-paid", os.Getenv("KAFKA_TOPIC"), from, func(m *message.Message) error {
		ce, err := eventOf(m)
		if err != nil {
			return err
		}
		return apply(m.Context(), ce, pool, watchers)
	})
	return router.Run(ctx) //nolint:wrapcheck // it says what failed
}

// eventOf reads a CloudEvent from the headers of its record (the Kafka protocol binding, binary mode).
func eventOf(m *message.Message) (cloudevents.Event, error) {
	ce := cloudevents.NewEvent()
	for name, value := range m.Metadata {
		switch name {
		case "ce_specversion", "content-type":
		case "ce_id":
			ce.SetID(value)
		case "ce_source":
			ce.SetSource(value)
		case "ce_type":
			ce.SetType(value)
		case "ce_subject":
			ce.SetSubject(value)
		case "ce_time":
			at, err := time.Parse(time.RFC3339, value)
			if err != nil {
				return ce, fmt.Errorf("read the event's time: %w", err)
			}
			ce.SetTime(at)
		default:
			if name, ok := strings.CutPrefix(name, "ce_"); ok {
				ce.SetExtension(name, value)
			}
		}
	}
	return ce, ce.SetData(cloudevents.ApplicationJSON, []byte(m.Payload)) //nolint:wrapcheck // it says what is wrong
}

// watermillPart starts a part of Watermill in a process of its own.
func watermillPart(ctx context.Context, part string, s servers, o Options, address string, t *topic) (*process.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self, "watermill", part) //nolint:gosec // this program
	cmd.Env = []string{
		"DATABASE_URL=" + address, "DATABASE_MAX_CONNS=" + strconv.Itoa(o.Conns), "REDIS_URL=" + s.redis, "KAFKA_BROKERS=" + s.kafka, "KAFKA_TOPIC=" + t.name,
	}
	cmd.Stderr = os.Stderr
	return process.Start(cmd) //nolint:wrapcheck // it names the program
}

// watermillForwarder measures how fast Watermill takes a full outbox of its own to Kafka.
func watermillForwarder(ctx context.Context, s servers, o Options) ([]figure, error) {
	address, err := s.empty(ctx, o.Bin)
	if err != nil {
		return nil, err
	}
	t, err := newTopic(ctx, s, topicPartitions)
	if err != nil {
		return nil, err
	}
	defer t.remove()
	pool, err := open(ctx, address, 1)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	outbox, err := sql.NewPublisher(sql.BeginnerFromPgx(pool), sql.PublisherConfig{SchemaAdapter: sql.DefaultPostgreSQLSchema{}, AutoInitializeSchema: true}, nil)
	if err != nil {
		return nil, fmt.Errorf("open Watermill's outbox: %w", err)
	}
	// It sends a record at a time, so it needs fewer events than the relay.
	n := int(backlog(o) / 4)
	publisher := forwarder.NewPublisher(outbox, forwarder.PublisherConfig{})
	for from := 0; from < n; from += relayBatch {
		var messages []*message.Message
		for i := range min(relayBatch, n-from) {
			ce, err := paidEvent((from+i)%tenants + 1)
			if err != nil {
				return nil, err
			}
			m := message.NewMessage(ce.ID(), ce.Data())
			for name, value := range map[string]string{"ce_id": ce.ID(), "ce_source": ce.Source(), "ce_type": ce.Type(), "ce_subject": ce.Subject(), "ce_time": ce.Time().Format(time.RFC3339Nano)} {
				m.Metadata.Set(name, value)
			}
			messages = append(messages, m)
		}
		if err := publisher.Publish(t.name, messages...); err != nil {
			return nil, fmt.Errorf("fill Watermill's outbox: %w", err)
		}
	}
	if err := analyze(ctx, address); err != nil {
		return nil, err
	}
	p, err := watermillPart(ctx, "forwarder", s, o, address, t)
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Stop(10 * time.Second) }()
	f, err := t.filled(ctx, int64(n), o.For, map[string][]string{"the relay": {filepath.Base(os.Args[0])}, "PostgreSQL": {"postgres"}, "Kafka": {"java"}})
	if err != nil {
		return nil, err
	}
	found := []figure{{relayed, forwarderTitle, f.rate, "/s"}}
	for name, each := range f.each {
		found = append(found, figure{"CPU per event into Kafka, " + name, forwarderTitle, each.Seconds() * 1000, "ms"})
	}
	return found, nil
}

// watermillRouter measures how many events a second Watermill's handler takes from Kafka, and what each costs.
func watermillRouter(ctx context.Context, s servers, o Options) ([]figure, error) {
	address, err := s.empty(ctx, o.Bin)
	if err != nil {
		return nil, err
	}
	t, err := newTopic(ctx, s, int32(o.InFlight)) //nolint:gosec // few
	if err != nil {
		return nil, err
	}
	defer t.remove()
	if err := fillTopic(ctx, s, t, int(backlog(o))/4); err != nil {
		return nil, err
	}
	p, err := watermillPart(ctx, "router", s, o, address, t)
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Stop(10 * time.Second) }()
	pool, err := open(ctx, address, 1)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	applied := func() (n int, err error) {
		if err := pool.QueryRow(ctx, "SELECT count(*) FROM event_records").Scan(&n); err != nil {
			return 0, fmt.Errorf("count the events: %w", err)
		}
		return n, nil
	}
	pause := func(length time.Duration) error {
		select {
		case <-time.After(length):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for before, end := 0, time.Now().Add(time.Minute); before == 0; { // it has joined its group
		if before, err = applied(); err == nil && before == 0 && time.Now().After(end) {
			err = errors.New("the router of Watermill takes no event")
		}
		if err := errors.Join(err, pause(100*time.Millisecond)); err != nil {
			return nil, err
		}
	}
	if err := pause(o.For / 2); err != nil {
		return nil, err
	}
	if err := analyze(ctx, address); err != nil {
		return nil, err
	}
	before, err := applied()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	cpu, err := busy(map[string][]string{"the function": {filepath.Base(os.Args[0])}, "PostgreSQL": {"postgres"}, "Redis": {"redis-server"}},
		func() error { return pause(o.For) })
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	after, err := applied()
	if err != nil {
		return nil, err
	}
	if after == before {
		return nil, errors.New("the router of Watermill took no event while it was measured")
	}
	found := []figure{{perSecond, routerTitle, float64(after-before) / took.Seconds(), "/s"}}
	for name, t := range cpu {
		found = append(found, figure{"CPU per event, " + name, routerTitle, t.Seconds() * 1000 / float64(after-before), "ms"})
	}
	return found, nil
}

// fillTopic sends paid orders of all tenants, as the relay does.
func fillTopic(ctx context.Context, s servers, t *topic, n int) error {
	producer, err := bus.NewProducer(bus.Config{Brokers: strings.Split(s.kafka, ",")})
	if err != nil {
		return err //nolint:wrapcheck // it says what is wrong
	}
	defer producer.Close()
	for from := 0; from < n; from += relayBatch {
		var batch []cloudevents.Event
		for i := range min(relayBatch, n-from) {
			ce, err := paidEvent((from+i)%tenants + 1)
			if err != nil {
				return err
			}
			batch = append(batch, ce)
		}
		if err := errors.Join(producer.Send(ctx, t.name, batch)...); err != nil {
			return err
		}
	}
	return nil
}
