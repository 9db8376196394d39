package embedded

import (
	"crypto/tls"
	"fmt"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Kafka is a Kafka broker inside this process. internal/bus/bustest holds it to what a real one does.
type Kafka struct {
	cluster *kfake.Cluster
}

// KafkaOptions say where a [Kafka] listens and what it remembers.
type KafkaOptions struct {
	Port    int    // 0: a free one
	DataDir string // "": nothing is kept; else topics, records and group offsets outlive the process

	TLS *tls.Config // nil: plain connections
	// SASLMechanism requires SASLUser and SASLPassword: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. "": no login.
	SASLMechanism, SASLUser, SASLPassword string
}

// StartKafka starts a broker on loopback, without topics.
func StartKafka(options KafkaOptions) (*Kafka, error) {
	settings := []kfake.Opt{kfake.Ports(options.Port), kfake.ClusterID("orderbell")}
	if options.DataDir != "" {
		settings = append(settings, kfake.DataDir(options.DataDir))
	}
	if options.TLS != nil {
		settings = append(settings, kfake.TLS(options.TLS))
	}
	if options.SASLMechanism != "" {
		settings = append(settings, kfake.EnableSASL(),
			kfake.Superuser(options.SASLMechanism, options.SASLUser, options.SASLPassword))
	}
	cluster, err := kfake.NewCluster(settings...)
	if err != nil {
		return nil, fmt.Errorf("start embedded Kafka: %w", err)
	}
	return &Kafka{cluster: cluster}, nil
}

// Brokers are the addresses for KAFKA_BROKERS, separated by commas.
func (k *Kafka) Brokers() string { return k.cluster.ListenAddrs()[0] }

// Stop ends every connection and writes what DataDir is to keep.
func (k *Kafka) Stop() { k.cluster.Close() }
