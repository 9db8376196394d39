package embedded

import (
	"crypto/tls"
	"fmt"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Kafka is a Kafka broker inside this process. It passes internal/bus/bustest, as a real one does.
type Kafka struct {
	cluster *kfake.Cluster
}

// KafkaOptions configure a [Kafka].
type KafkaOptions struct {
	Port    int    // 0: a free one
	DataDir string // "": nothing is kept; else topics, records and group offsets outlive the process

	TLS *tls.Config // nil: plain connections
	// SASLMechanism requires SASLUser and SASLPassword: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. "": no login.
	SASLMechanism, SASLUser, SASLPassword string
}

// StartKafka starts a broker on loopback, without topics.
func StartKafka(options KafkaOptions) (*Kafka, error) {
	port := options.Port
	if port == 0 {
		var err error
		if port, err = FreePort(); err != nil {
			return nil, err
		}
	}
	settings := []kfake.Opt{kfake.Ports(port), kfake.ClusterID("orderbell")}
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

// Brokers returns the value of KAFKA_BROKERS.
func (k *Kafka) Brokers() string { return k.cluster.ListenAddrs()[0] }

// Stop closes every connection and writes the data to DataDir.
func (k *Kafka) Stop() { k.cluster.Close() }
