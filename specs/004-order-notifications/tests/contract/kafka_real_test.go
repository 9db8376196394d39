//go:build real

package contract_test

import (
	"os"
	"testing"
)

// brokers returns the real Kafka of KAFKA_BROKERS; test/services/up starts one.
func brokers(t *testing.T) string {
	t.Helper()
	kafka := os.Getenv("KAFKA_BROKERS")
	if kafka == "" {
		t.Fatal("KAFKA_BROKERS is not set: test/services/up starts a Kafka and writes .services/env")
	}
	return kafka
}
