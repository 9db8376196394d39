// Package bus sends CloudEvents to Kafka and consumes them in order. It is the only importer of the Kafka client.
//
// What it promises:
//   - [Producer.Send] returns for each event whether Kafka has it (acks=all). An event that is reported as failed may have
//     arrived nevertheless, so that sending again can duplicate.
//   - Events with the same partitionkey go to one partition, the one that Kafka's own Java clients would choose too.
//   - [Consumer.Consume] hands out each partition's messages in order and marks a message only when its handler has
//     returned without error: after a crash or a rebalance messages are repeated, and none is lost.
//   - A message that is not a CloudEvent is handed out too, with its bytes and the reason.
package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// Config says where Kafka is and what the topics are called.
type Config struct {
	Brokers         []string `envconfig:"KAFKA_BROKERS" required:"true"` // host:port, separated by commas
	Topic           string   `envconfig:"KAFKA_TOPIC" default:"orders.events"`
	DeadLetterTopic string   `envconfig:"KAFKA_DEAD_LETTER_TOPIC" default:"orders.dead-letters"`

	TLS         bool   `envconfig:"KAFKA_TLS"`
	TLSCAFile   string `envconfig:"KAFKA_TLS_CA_FILE"`   // PEM; empty: the system's authorities
	TLSCertFile string `envconfig:"KAFKA_TLS_CERT_FILE"` // PEM; with KAFKA_TLS_KEY_FILE for brokers that require a client certificate
	TLSKeyFile  string `envconfig:"KAFKA_TLS_KEY_FILE"`

	SASLMechanism string `envconfig:"KAFKA_SASL_MECHANISM" oneof:",PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"` // empty: none
	SASLUsername  string `envconfig:"KAFKA_SASL_USERNAME"`
	SASLPassword  string `envconfig:"KAFKA_SASL_PASSWORD"`
}

const (
	// dialTimeout is shorter than the callers' timeouts, so that another broker can be tried.
	dialTimeout = 5 * time.Second
	// requestTimeout is longer than a rebalance, because joining a group waits for the other members.
	requestTimeout   = 30 * time.Second
	rebalanceTimeout = 20 * time.Second
	// maxMessage stays below the broker's default message.max.bytes of 1 MiB with room for a batch's own overhead.
	maxMessage = 1_000_000
)

// client returns the settings that all clients share.
func (c Config) client() (*sarama.Config, error) {
	if len(c.Brokers) == 0 {
		return nil, fmt.Errorf("KAFKA_BROKERS names no broker")
	}
	s := sarama.NewConfig()
	s.ClientID = "orderbell"
	// The newest protocol version. The client and each broker agree on the newest one that both support, so this fits
	// Kafka 2.1 to 4.x and kfake.
	s.Version = sarama.V4_0_0_0
	s.Net.DialTimeout = dialTimeout
	s.Net.ReadTimeout = requestTimeout
	s.Net.WriteTimeout = requestTimeout
	// An automatically created topic would have the wrong number of partitions.
	s.Metadata.AllowAutoTopicCreation = false
	s.Metadata.Full = false // only the topics in use, however many the cluster has
	s.Consumer.Group.Rebalance.Timeout = rebalanceTimeout
	if err := c.secure(s); err != nil {
		return nil, err
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("configure Kafka: %w", err)
	}
	return s, nil
}

// within runs f, which takes no context, and stops waiting for it when ctx ends. A later result of f is dropped.
func within[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
