package bus_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/bus"
	"orderbell/internal/bus/record"
	"orderbell/internal/dev/embedded"
	"orderbell/internal/event/cloudevent"
)

// The hashes are those of Kafka's own UtilsTest.testMurmur2; Java takes the partition from the hash without its sign bit.
func TestPartitionsAreThoseOfJavaClients(t *testing.T) {
	t.Parallel()
	javaHashes := map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	}
	const partitions = 97 // a prime, so that every bit of the hash counts
	kafka, err := embedded.StartKafka(embedded.KafkaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Stop)
	c := bus.Config{Brokers: []string{kafka.Brokers()}, Topic: "events", DeadLetterTopic: "dead"}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	admin, err := bus.NewAdmin(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	if err := admin.EnsureTopics(ctx, partitions, 1); err != nil {
		t.Fatal(err)
	}
	producer, err := bus.NewProducer(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	want := map[string]int32{}
	for key, hash := range javaHashes {
		want[key] = (hash & 0x7fffffff) % partitions
		e := cloudevent.Empty()
		e.SetID(key)
		e.SetSource("/test")
		e.SetType("test")
		e.SetExtension(cloudevent.ExtPartitionKey, key)
		if errs := producer.Send(ctx, c.Topic, []cloudevent.Event{e}); errs[0] != nil {
			t.Fatal(errs[0])
		}
	}
	consumer, err := bus.NewConsumer(c, bus.Earliest, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	records := make(chan record.Record, len(want))
	consuming, stop := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() {
		stopped <- consumer.Consume(consuming, "g", 1, func(_ context.Context, r record.Record) error {
			records <- r
			return nil
		})
	}()
	got := map[string]int32{}
	for range want {
		select {
		case r := <-records:
			got[string(r.Key)] = r.Partition
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		}
	}
	stop()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
