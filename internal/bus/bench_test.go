package bus_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"

	"orderbell/internal/bus"
	"orderbell/internal/dev/embedded"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
)

// BenchmarkSend measures batches of the size and shape that the relay sends, with the Kafka of KAFKA_BROKERS where that
// is set.
func BenchmarkSend(b *testing.B) {
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint("batch=", size), func(b *testing.B) {
			c := bus.Config{Topic: "bench-" + uuid.NewString(), DeadLetterTopic: "bench-dead-" + uuid.NewString()}
			c.Brokers = benchBrokers(b)
			admin, err := bus.NewAdmin(c)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(admin.Close)
			if err := admin.EnsureTopics(b.Context(), 12, 1); err != nil {
				b.Fatal(err)
			}
			producer, err := bus.NewProducer(c)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(producer.Close)
			batch := make([]cloudevent.Event, size)
			for i := range batch {
				batch[i] = benchEvent()
			}
			for b.Loop() {
				for _, err := range producer.Send(b.Context(), c.Topic, batch) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(size*b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func benchBrokers(b *testing.B) []string {
	b.Helper()
	if brokers := os.Getenv("KAFKA_BROKERS"); brokers != "" {
		return strings.Split(brokers, ",")
	}
	kafka, err := embedded.StartKafka(embedded.KafkaOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(kafka.Stop)
	return []string{kafka.Brokers()}
}

func benchEvent() cloudevent.Event {
	order := uuid.NewString()
	e := cloudevent.Empty()
	e.SetID(uuid.NewString())
	e.SetSource(event.Source)
	e.SetType(string(event.OrderCreated))
	e.SetSubject(order)
	e.SetExtension(cloudevent.ExtPartitionKey, order)
	e.SetExtension(cloudevent.ExtTenantID, "demo")
	e.SetExtension(cloudevent.ExtSequence, "1")
	e.DataEncoded = []byte(`{"order_id":"` + order + `","tenant_id":"demo","status":"submitted","reference":"A-1042",` +
		`"total_amount":125000,"currency":"IDR","version":1,"timestamp":"2026-11-24T10:00:00Z"}`)
	e.SetDataContentType(cloudevent.JSON)
	return e
}
