package events

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

const (
	relayBatch      = 1000 // RELAY_BATCH_SIZE's default
	topicPartitions = 6    // as in orderbell dev

	relayTitle    = "outbox-relay, from a full outbox to Kafka"
	producerTitle = "Kafka's producer-perf, the same records and batches"
	relayed       = "events a second into Kafka"
)

// backlog is how many events wait at the start: more than are sent in o.For on the machines that we know, up to a bound for the
// time that it takes to write them.
func backlog(o Options) int64 { return min(200_000, max(20_000, int64(o.For.Seconds())*20_000)) }

// fillOutbox writes paid orders of all tenants.
const fillOutbox = `
INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at)
SELECT n % 16, event_id, '/orderbell/order-api', 'order_paid', tenant, order_id, convert_to(json_build_object('order_id', order_id,
	'tenant_id', tenant, 'status', 'paid', 'reference', 'A-1042', 'total_amount', 125000, 'currency', 'IDR', 'version', 2, 'timestamp', at)::text, 'UTF8'), at
FROM (SELECT n, gen_random_uuid() AS event_id, gen_random_uuid() AS order_id, 'bench-' || n % $1 + 1 AS tenant, date_trunc('milliseconds', now()) AS at
	FROM generate_series(1, $2::bigint) n) o`

// relay measures how fast outbox-relay takes a full outbox to Kafka, and then how fast Kafka's own producer sends the same records.
func relay(ctx context.Context, s servers, o Options) ([]figure, error) {
	address, err := s.empty(ctx, o.Bin)
	if err != nil {
		return nil, err
	}
	pool, err := open(ctx, address, 1)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	n := backlog(o)
	if _, err := pool.Exec(ctx, fillOutbox, tenants, n); err != nil {
		return nil, fmt.Errorf("fill the outbox: %w", err)
	}
	if err := analyze(ctx, address); err != nil {
		return nil, err
	}
	t, err := newTopic(ctx, s, topicPartitions)
	if err != nil {
		return nil, err
	}
	defer t.remove()
	p := program{name: "outbox-relay", bin: o.Bin, env: []string{"KAFKA_BROKERS=" + s.kafka, "KAFKA_TOPIC=" + t.name, "DATABASE_MAX_CONNS=4"}}
	r, err := p.start(ctx, s, address, o.Conns)
	if err != nil {
		return nil, err
	}
	f, err := t.filled(ctx, n, 3*o.For, map[string][]string{"the relay": {"outbox-relay"}, "PostgreSQL": {"postgres"}, "Kafka": {"java"}})
	r.stop()
	if err != nil {
		return nil, err
	}
	found := []figure{{relayed, relayTitle, f.rate, "/s"}}
	for name, each := range f.each {
		found = append(found, figure{"CPU per event into Kafka, " + name, relayTitle, each.Seconds() * 1000, "ms"})
	}
	perf, err := producerPerf(ctx, s, t, n)
	return append(found, perf...), err
}

// producerPerf sends as many records of the same bytes with Kafka's own producer, which waits for Kafka as the relay does: one
// request at a time, acknowledged by all replicas, with batches of at most the relay's size.
func producerPerf(ctx context.Context, s servers, like *topic, n int64) ([]figure, error) {
	records, err := like.read(ctx, 200)
	if err != nil {
		return nil, err
	}
	var payload bytes.Buffer
	size := 0
	for _, r := range records {
		from := payload.Len()
		payload.Write(r.Key)
		payload.Write(r.Value)
		for _, h := range r.Headers {
			payload.Write(h.Key)
			payload.Write(h.Value)
		}
		size = max(size, payload.Len()-from)
		payload.WriteByte('\n')
	}
	file, err := os.CreateTemp("", "orderbell-records")
	if err != nil {
		return nil, fmt.Errorf("write the records: %w", err)
	}
	defer os.Remove(file.Name()) //nolint:errcheck // a temporary file
	_, err = payload.WriteTo(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("write the records: %w", err)
	}
	t, err := newTopic(ctx, s, topicPartitions)
	if err != nil {
		return nil, err
	}
	defer t.remove()
	jars := filepath.Join(".cache", "kafka", "*") // of test/services/up
	out, err := run(ctx, "java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", jars, "org.apache.kafka.tools.ProducerPerformance", "--bootstrap-server", s.kafka, "--topic", t.name,
		"--num-records", strconv.FormatInt(n, 10), "--warmup-records", strconv.FormatInt(n/10, 10), "--throughput", "-1", "--payload-file", file.Name(),
		"--command-property", "acks=all", "enable.idempotence=true", "compression.type=lz4", "max.in.flight.requests.per.connection=1", "linger.ms=0",
		"batch.size="+strconv.Itoa(relayBatch*size/topicPartitions))
	if err != nil {
		return nil, err
	}
	rate, err := number(out, `steady state records sent, ([0-9.]+) records/sec`)
	return []figure{{relayed, producerTitle, rate, "/s"}}, err
}
