//go:build !real

package contract_test

import (
	"testing"

	"orderbell/internal/dev/embedded"
)

// brokers starts a Kafka of its own. With the tag real it is that of KAFKA_BROKERS.
func brokers(t *testing.T) string {
	t.Helper()
	kafka, err := embedded.StartKafka(embedded.KafkaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Stop)
	return kafka.Brokers()
}
