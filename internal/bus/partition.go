package bus

import (
	"encoding/binary"
	"hash"

	"github.com/IBM/sarama"
)

// newPartitioner chooses partitions as Kafka's Java clients do, so an order's events are in one partition for every
// publisher, including KafkaSink and other order services.
func newPartitioner(topic string) sarama.Partitioner {
	return sarama.NewCustomPartitioner(
		sarama.WithAbsFirst(), // Java's toPositive: the sign bit is cut off
		sarama.WithCustomHashFunction(func() hash.Hash32 { return &murmur2{} }),
	)(topic)
}

// murmur2 is the hash of org.apache.kafka.common.utils.Utils.murmur2.
type murmur2 struct{ key []byte }

const (
	murmurSeed = 0x9747b28c
	murmurMix  = 0x5bd1e995
)

func (m *murmur2) Write(p []byte) (int, error) {
	m.key = append(m.key, p...)
	return len(p), nil
}

func (m *murmur2) Sum32() uint32 {
	key := m.key
	h := uint32(murmurSeed) ^ uint32(len(key)) //nolint:gosec // a key is far shorter than 4 GiB
	for ; len(key) >= 4; key = key[4:] {
		k := binary.LittleEndian.Uint32(key) * murmurMix
		k ^= k >> 24
		h = h*murmurMix ^ k*murmurMix
	}
	for i := len(key) - 1; i >= 0; i-- {
		h ^= uint32(key[i]) << (8 * i)
	}
	if len(key) > 0 {
		h *= murmurMix
	}
	h ^= h >> 13
	h *= murmurMix
	return h ^ h>>15
}

func (m *murmur2) Reset()         { m.key = m.key[:0] }
func (m *murmur2) Size() int      { return 4 }
func (m *murmur2) BlockSize() int { return 4 }
func (m *murmur2) Sum(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, m.Sum32())
}
