package relay_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/metric/noop"

	"orderbell/internal/bus"
	"orderbell/internal/bus/record"
	"orderbell/internal/dev/embedded"
	"orderbell/internal/event"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/outbox"
	"orderbell/outbox-relay/internal/relay"
)

// BenchmarkBacklog measures how fast a backlog leaves: events/s from PostgreSQL to Kafka. It uses the servers of
// DATABASE_URL and KAFKA_BROKERS where they are set, so that `test/services/up` shows what real ones do.
func BenchmarkBacklog(b *testing.B) {
	const orders, each = 20_000, 3
	for _, workers := range []int{1, 2, 4} {
		for _, size := range []int{250, 1000, 4000} {
			b.Run(fmt.Sprintf("workers=%d/batch=%d", workers, size), func(b *testing.B) {
				benchmarkBacklog(b, relay.Config{Workers: workers, BatchSize: size, IdleInterval: 250 * time.Millisecond}, orders, each)
			})
		}
	}
}

func benchmarkBacklog(b *testing.B, cfg relay.Config, orders, each int) {
	b.Helper()
	pool := databasetest.New(b)
	config := benchKafka(b)
	producer, err := bus.NewProducer(config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(producer.Close)
	admin, err := bus.NewAdmin(config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(admin.Close)
	if err := admin.EnsureTopics(b.Context(), 12, 1); err != nil {
		b.Fatal(err)
	}
	store := outbox.New(pool)
	for b.Loop() {
		b.StopTimer()
		template := string(orderData(b, uuid.Nil.String(), 1))
		_, err := pool.Exec(b.Context(), `
INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at)
SELECT ('x' || left(o::text, 1))::bit(4)::int, gen_random_uuid(), $1, 'order_created', 'demo', o,
       convert_to(replace($2, $3, o::text), 'UTF8'), now()
FROM (SELECT gen_random_uuid() o, g FROM generate_series(1, $4) g) orders CROSS JOIN generate_series(1, $5) n
ORDER BY n, g`, event.Source, template, uuid.Nil.String(), orders, each)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := pool.Exec(b.Context(), "VACUUM ANALYZE outbox"); err != nil {
			b.Fatal(err)
		}
		r, err := relay.New(cfg, relay.Topics{Events: config.Topic, DeadLetters: config.DeadLetterTopic}, store, producer, admin,
			slog.New(slog.DiscardHandler), noop.Meter{})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		b.StartTimer()
		r.Start(ctx)
		tick := time.NewTicker(10 * time.Millisecond)
		for unsent := true; unsent; <-tick.C {
			const look = "SELECT EXISTS (SELECT FROM outbox WHERE sent_at IS NULL)"
			if err := pool.QueryRow(b.Context(), look).Scan(&unsent); err != nil {
				b.Fatal(err)
			}
		}
		tick.Stop()
		b.StopTimer()
		cancel()
		r.Wait(b.Context())
		b.StartTimer()
	}
	b.ReportMetric(float64(orders*each*b.N)/b.Elapsed().Seconds(), "events/s")
}

func benchKafka(b *testing.B) bus.Config {
	b.Helper()
	config := bus.Config{Topic: "bench-" + uuid.NewString(), DeadLetterTopic: "bench-dead-" + uuid.NewString()}
	if brokers := os.Getenv("KAFKA_BROKERS"); brokers != "" {
		config.Brokers = strings.Split(brokers, ",")
		return config
	}
	kafka, err := embedded.StartKafka(embedded.KafkaOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(kafka.Stop)
	config.Brokers = []string{kafka.Brokers()}
	return config
}

// BenchmarkHop measures one event's way through a relay that has little to do: from its commit until a consumer of the
// topic has it.
func BenchmarkHop(b *testing.B) {
	pool := databasetest.New(b)
	config := benchKafka(b)
	producer, err := bus.NewProducer(config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(producer.Close)
	admin, err := bus.NewAdmin(config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(admin.Close)
	if err := admin.EnsureTopics(b.Context(), 12, 1); err != nil {
		b.Fatal(err)
	}
	consumer, err := bus.NewConsumer(config, bus.Earliest, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	r, err := relay.New(relay.Config{Workers: 2, BatchSize: 1000, IdleInterval: 250 * time.Millisecond},
		relay.Topics{Events: config.Topic, DeadLetters: config.DeadLetterTopic}, outbox.New(pool), producer, admin,
		slog.New(slog.DiscardHandler), noop.Meter{})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	arrived := make(chan struct{}, 1)
	done := make(chan error, 1)
	go func() {
		done <- consumer.Consume(ctx, "bench-"+config.Topic, 1, func(context.Context, record.Record) error {
			arrived <- struct{}{}
			return nil
		})
	}()
	r.Start(ctx)
	hop := func() time.Duration {
		id := uuid.NewString()
		_, err := pool.Exec(b.Context(), `
INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at)
VALUES (0, gen_random_uuid(), $1, 'order_created', 'demo', $2, $3, now())`, event.Source, id, orderData(b, id, 1))
		if err != nil {
			b.Fatal(err)
		}
		committed := time.Now()
		r.Hint()
		<-arrived
		return time.Since(committed)
	}
	hop() // connects everything
	var hops []time.Duration
	for b.Loop() {
		b.StopTimer()
		time.Sleep(rand.N(50 * time.Millisecond)) // a small shop
		b.StartTimer()
		hops = append(hops, hop())
	}
	slices.Sort(hops)
	b.ReportMetric(float64(hops[len(hops)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(hops[len(hops)*99/100].Microseconds())/1000, "p99-ms")
	cancel()
	r.Wait(b.Context())
	if err := <-done; err != nil {
		b.Error(err)
	}
}
