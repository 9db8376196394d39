//go:build real

package bus_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"orderbell/internal/bus/bustest"
)

// TestRealKafka holds the Kafka of KAFKA_BROKERS to the suite; test/services/up starts one.
func TestRealKafka(t *testing.T) {
	t.Parallel()
	bustest.Run(t, bustest.Server{Brokers: realBrokers(t)})
}

// TestRealKafkaRestart is not parallel: it takes the server away from whoever uses it.
func TestRealKafkaRestart(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	brokers := realBrokers(t)
	port, err := os.ReadFile(filepath.Join(root, ".services", "kafka", "port"))
	if err != nil || brokers[0] != "127.0.0.1:"+strings.TrimSpace(string(port)) {
		t.Fatalf("KAFKA_BROKERS is %q, but only the Kafka of test/services/up can be restarted: %v", brokers, err)
	}
	bustest.RunRestart(t, bustest.Server{Brokers: brokers, Restart: func(tb testing.TB) {
		tb.Helper()
		for _, arguments := range [][]string{{"down", "--kill", "kafka"}, {"up", "kafka"}} {
			script := exec.CommandContext(tb.Context(), filepath.Join(root, "test", "services", arguments[0]), arguments[1:]...)
			if said, err := script.CombinedOutput(); err != nil {
				tb.Fatalf("%v: %v\n%s", arguments, err, said)
			}
		}
	}})
}

func realBrokers(t *testing.T) []string {
	t.Helper()
	brokers := os.Getenv("KAFKA_BROKERS")
	if brokers == "" {
		t.Fatal("KAFKA_BROKERS is not set: test/services/up starts a Kafka and writes .services/env")
	}
	return strings.Split(brokers, ",")
}
