package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/IBM/sarama"

	"orderbell/internal/backoff"
)

// Admin creates and checks topics. It connects at its first use, and reconnects after an outage of Kafka.
type Admin struct {
	config   Config
	settings *sarama.Config

	mu     sync.Mutex
	client sarama.Client
}

// NewAdmin returns an admin for c's brokers. An error means that c is invalid.
func NewAdmin(c Config) (*Admin, error) {
	s, err := c.client()
	if err != nil {
		return nil, err
	}
	s.Metadata.Full = true // creating a topic needs the metadata of the whole cluster
	return &Admin{config: c, settings: s}, nil
}

// EnsureTopics creates the topic of events and the topic of dead letters if they do not exist, and returns when both
// can be written to. Existing topics do not change.
func (a *Admin) EnsureTopics(ctx context.Context, partitions int32, replication int16) error {
	return a.do(ctx, func(client sarama.Client) error {
		admin, err := sarama.NewClusterAdminFromClient(client)
		if err != nil {
			return fmt.Errorf("connect to Kafka: %w", err)
		}
		for _, topic := range []string{a.config.Topic, a.config.DeadLetterTopic} {
			detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: replication}
			if err := admin.CreateTopic(topic, detail, false); err != nil && !errors.Is(err, sarama.ErrTopicAlreadyExists) {
				return fmt.Errorf("create topic %s: %w", topic, err)
			}
		}
		for _, topic := range []string{a.config.Topic, a.config.DeadLetterTopic} {
			// Kafka answers before all brokers know the topic.
			for err := check(client, topic); err != nil; err = check(client, topic) {
				if !backoff.Sleep(ctx, minBackoff) {
					return errors.Join(context.Cause(ctx), err)
				}
			}
		}
		return nil
	})
}

// Check returns nil if Kafka answers and every partition of the topic of events has a leader.
func (a *Admin) Check(ctx context.Context) error {
	return a.do(ctx, func(client sarama.Client) error { return check(client, a.config.Topic) })
}

func check(client sarama.Client, topic string) error {
	if err := client.RefreshMetadata(topic); err != nil {
		return fmt.Errorf("read topic %s: %w", topic, err)
	}
	all, err := client.Partitions(topic)
	if err != nil {
		return fmt.Errorf("read topic %s: %w", topic, err)
	}
	writable, err := client.WritablePartitions(topic)
	if err != nil {
		return fmt.Errorf("read topic %s: %w", topic, err)
	}
	if len(writable) < len(all) {
		return fmt.Errorf("topic %s: %d of %d partitions have no leader", topic, len(all)-len(writable), len(all))
	}
	return nil
}

// Lag returns, by partition of the topic of events, how many messages group has not committed. A partition without a
// committed offset counts in full.
func (a *Admin) Lag(ctx context.Context, group string) (map[int32]int64, error) {
	lag := map[int32]int64{}
	err := a.do(ctx, func(client sarama.Client) error {
		places, err := a.places(client, group)
		for p, at := range places {
			lag[p] = max(at.end-at.next, 0)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return lag, nil
}

// place is a group's position in a partition.
type place struct{ next, end int64 }

// places returns group's position in each partition of the topic of events.
func (a *Admin) places(client sarama.Client, group string) (map[int32]place, error) {
	partitions, err := client.Partitions(a.config.Topic)
	if err != nil {
		return nil, fmt.Errorf("read topic %s: %w", a.config.Topic, err)
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	committed, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{a.config.Topic: partitions})
	if err == nil && !errors.Is(committed.Err, sarama.ErrNoError) {
		err = committed.Err
	}
	if err != nil && !errors.Is(err, sarama.ErrGroupIDNotFound) {
		return nil, fmt.Errorf("read offsets of group %s: %w", group, err)
	}
	places := make(map[int32]place, len(partitions))
	for _, p := range partitions {
		end, err := client.GetOffset(a.config.Topic, p, sarama.OffsetNewest)
		if err != nil {
			return nil, fmt.Errorf("read end of partition %d: %w", p, err)
		}
		next, err := position(client, committed.GetBlock(a.config.Topic, p), a.config.Topic, p)
		if err != nil {
			return nil, err
		}
		places[p] = place{next: next, end: end}
	}
	return places, nil
}

// position is the offset of the next message that a group reads.
func position(client sarama.Client, block *sarama.OffsetFetchResponseBlock, topic string, partition int32) (int64, error) {
	if block != nil && !errors.Is(block.Err, sarama.ErrNoError) {
		return 0, fmt.Errorf("read offset of partition %d: %w", partition, block.Err)
	}
	if block != nil && block.Offset >= 0 {
		return block.Offset, nil
	}
	oldest, err := client.GetOffset(topic, partition, sarama.OffsetOldest)
	if err != nil {
		return 0, fmt.Errorf("read start of partition %d: %w", partition, err)
	}
	return oldest, nil
}

// do runs f with a connected client. A client that failed is closed, so that the next call connects again. Calls run
// one at a time.
func (a *Admin) do(ctx context.Context, f func(sarama.Client) error) error {
	_, err := within(ctx, func() (struct{}, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if ctx.Err() != nil {
			return struct{}{}, context.Cause(ctx) // gave up while another call held the client
		}
		if a.client == nil {
			client, err := sarama.NewClient(a.config.Brokers, a.settings)
			if err != nil {
				return struct{}{}, fmt.Errorf("connect to Kafka: %w", err)
			}
			a.client = client
		}
		err := f(a.client)
		if err != nil {
			_ = a.client.Close() // err is the relevant error
			a.client = nil
		}
		return struct{}{}, err
	})
	return err
}

// Close closes the connection once the calls under way have returned.
func (a *Admin) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.client != nil {
		_ = a.client.Close() // nothing can be lost
		a.client = nil
	}
}
