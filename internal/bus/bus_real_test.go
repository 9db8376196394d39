//go:build real

package bus_test

import (
	"context"
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

// TestRealKafkaRestart kills a Kafka of its own, since others use the one of KAFKA_BROKERS at the same time.
func TestRealKafkaRestart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	services(t, folder, "up", "kafka")
	t.Cleanup(func() { services(t, folder, "down", "kafka") })
	port, err := os.ReadFile(filepath.Join(folder, "kafka", "port"))
	if err != nil {
		t.Fatal(err)
	}
	bustest.RunRestart(t, bustest.Server{
		Brokers: []string{"127.0.0.1:" + strings.TrimSpace(string(port))},
		Restart: func(tb testing.TB) {
			tb.Helper()
			services(tb, folder, "down", "--kill", "kafka")
			services(tb, folder, "up", "kafka")
		},
	})
}

// services runs test/services/up or down for the servers that live in folder.
func services(tb testing.TB, folder, script string, arguments ...string) {
	tb.Helper()
	path := filepath.Join("..", "..", "test", "services", script)
	command := exec.CommandContext(context.WithoutCancel(tb.Context()), path, arguments...)
	command.Env = append(os.Environ(), "SERVICES_DIR="+folder, "SERVICES_HOST=127.0.0.1")
	if said, err := command.CombinedOutput(); err != nil {
		tb.Fatalf("%s %v: %v\n%s", script, arguments, err, said)
	}
}

func realBrokers(t *testing.T) []string {
	t.Helper()
	brokers := os.Getenv("KAFKA_BROKERS")
	if brokers == "" {
		t.Fatal("KAFKA_BROKERS is not set: test/services/up starts a Kafka and writes .services/env")
	}
	return strings.Split(brokers, ",")
}
