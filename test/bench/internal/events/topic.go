package events

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/google/uuid"

	"orderbell/internal/bus"
)

// topic is a new topic of Kafka.
type topic struct {
	client     sarama.Client
	name       string
	partitions int32
}

const deadLetters = "orders.dead-letters"

func newTopic(ctx context.Context, s servers, partitions int32) (*topic, error) {
	t := &topic{name: "bench-" + uuid.NewString(), partitions: partitions}
	c := bus.Config{Brokers: strings.Split(s.kafka, ","), Topic: t.name, DeadLetterTopic: deadLetters}
	admin, err := bus.NewAdmin(c)
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what is wrong
	}
	defer admin.Close()
	if err := admin.EnsureTopics(ctx, partitions, 1); err != nil {
		return nil, err //nolint:wrapcheck // as above
	}
	if t.client, err = sarama.NewClient(c.Brokers, peerClient()); err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	return t, nil
}

// peerClient are the settings of Kafka's client that the peers have in common with Orderbell. The client's default is a
// protocol that Kafka 4 no longer speaks.
func peerClient() *sarama.Config {
	s := sarama.NewConfig()
	s.Version = sarama.V4_0_0_0
	s.ClientID = "bench"
	s.Producer.RequiredAcks = sarama.WaitForAll
	s.Producer.Compression = sarama.CompressionLZ4
	s.Producer.Return.Successes = true
	s.Consumer.Return.Errors = true
	s.Consumer.Offsets.Initial = sarama.OffsetOldest
	return s
}

// remove deletes the topic with its records.
func (t *topic) remove() {
	admin, err := sarama.NewClusterAdminFromClient(t.client)
	if err == nil {
		_ = admin.DeleteTopic(t.name) // a disk with some more records harms no figure
	}
	_ = t.client.Close()
}

// records returns how many records the topic has.
func (t *topic) records() (int64, error) {
	var sum int64
	for p := range t.partitions {
		n, err := t.client.GetOffset(t.name, p, sarama.OffsetNewest)
		if err != nil {
			return 0, fmt.Errorf("read the end of %s: %w", t.name, err)
		}
		sum += n
	}
	return sum, nil
}

// read returns up to most records of a partition that has that many.
func (t *topic) read(ctx context.Context, most int) ([]*sarama.ConsumerMessage, error) {
	consumer, err := sarama.NewConsumerFromClient(t.client)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", t.name, err)
	}
	defer consumer.Close() //nolint:errcheck // it has read
	partition, err := consumer.ConsumePartition(t.name, 0, sarama.OffsetOldest)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", t.name, err)
	}
	defer partition.Close() //nolint:errcheck // it has read
	var found []*sarama.ConsumerMessage
	for len(found) < most {
		select {
		case m := <-partition.Messages():
			found = append(found, m)
		case err := <-partition.Errors():
			return nil, fmt.Errorf("read %s: %w", t.name, err)
		case <-time.After(10 * time.Second):
			return nil, fmt.Errorf("read %s: the partition has %d records only", t.name, len(found))
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return found, nil
}

// filling is how fast a topic was filled.
type filling struct {
	rate float64                  // records a second
	each map[string]time.Duration // CPU per record
}

// filled measures how fast a program fills the topic with n records, from the first tenth on, for at most that long.
func (t *topic) filled(ctx context.Context, n int64, most time.Duration, groups map[string][]string) (filling, error) {
	first, err := t.await(ctx, max(1, n/10), time.Minute)
	if err != nil {
		return filling{}, err
	}
	if first == 0 {
		return filling{}, errors.New("nothing reaches Kafka")
	}
	var last int64
	began := time.Now()
	cpu, err := busy(groups, func() (err error) {
		last, err = t.await(ctx, n, most)
		return err
	})
	if err != nil {
		return filling{}, err
	}
	if last <= first {
		return filling{}, fmt.Errorf("no record of %d came after the first %d", n, first)
	}
	f := filling{rate: float64(last-first) / time.Since(began).Seconds(), each: cpu}
	for group := range cpu {
		f.each[group] /= time.Duration(last - first)
	}
	return f, nil
}

// await returns the number of records once there are n, or after a time.
func (t *topic) await(ctx context.Context, n int64, most time.Duration) (int64, error) {
	for end := time.Now().Add(most); ; {
		have, err := t.records()
		if err != nil || have >= n || time.Now().After(end) {
			return have, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return have, ctx.Err()
		}
	}
}
