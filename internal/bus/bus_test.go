package bus_test

import (
	"net"
	"strconv"
	"testing"

	"orderbell/internal/bus/bustest"
	"orderbell/internal/dev/embedded"
)

func TestEmbeddedKafka(t *testing.T) {
	t.Parallel()
	kafka, err := embedded.StartKafka(embedded.KafkaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Stop)
	bustest.Run(t, bustest.Server{Brokers: []string{kafka.Brokers()}})
}

func TestEmbeddedKafkaRestart(t *testing.T) {
	t.Parallel()
	options := embedded.KafkaOptions{DataDir: t.TempDir()}
	kafka, err := embedded.StartKafka(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kafka.Stop() })
	brokers := kafka.Brokers()
	_, port, err := net.SplitHostPort(brokers)
	if err != nil {
		t.Fatal(err)
	}
	if options.Port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	bustest.RunRestart(t, bustest.Server{Brokers: []string{brokers}, Restart: func(tb testing.TB) {
		tb.Helper()
		kafka.Stop()
		if kafka, err = embedded.StartKafka(options); err != nil {
			tb.Fatal(err)
		}
	}})
}
