package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"orderbell/internal/bus/record"
)

// Reader reads the current content of a topic. It joins no consumer group and commits nothing.
type Reader struct {
	client sarama.Client
}

// NewReader returns a reader for c's brokers. Its error is about c alone.
func NewReader(c Config) (*Reader, error) {
	s, err := c.client()
	if err != nil {
		return nil, err
	}
	s.Consumer.Return.Errors = true
	// Leaving a partition waits for the fetch under way, which returns nothing; so it is short.
	s.Consumer.MaxWaitTime = 20 * time.Millisecond
	client, err := sarama.NewClient(c.Brokers, s) // connects when it is first used
	if err != nil {
		return nil, fmt.Errorf("configure Kafka: %w", err)
	}
	return &Reader{client: client}, nil
}

// Close ends the connections.
func (r *Reader) Close() { _ = r.client.Close() } // they were only read from

// Spans returns the current span of each partition of topic: from the first message written at since or later, or from
// the oldest if since is zero. Partitions without such messages are left out.
func (r *Reader) Spans(ctx context.Context, topic string, since time.Time) ([]record.Span, error) {
	return within(ctx, func() ([]record.Span, error) {
		if err := r.client.RefreshMetadata(topic); err != nil {
			return nil, fmt.Errorf("read topic %s: %w", topic, err)
		}
		partitions, err := r.client.Partitions(topic)
		if err != nil {
			return nil, fmt.Errorf("read topic %s: %w", topic, err)
		}
		slices.Sort(partitions)
		var spans []record.Span
		for _, p := range partitions {
			to, err := r.client.GetOffset(topic, p, sarama.OffsetNewest)
			if err != nil {
				return nil, fmt.Errorf("read end of partition %d of %s: %w", p, topic, err)
			}
			start := sarama.OffsetOldest
			if !since.IsZero() {
				start = max(since.UnixMilli(), 0)
			}
			from, err := r.client.GetOffset(topic, p, start)
			if err != nil {
				return nil, fmt.Errorf("read start of partition %d of %s: %w", p, topic, err)
			}
			if from >= 0 && from < to { // Kafka answers -1 if no message is that recent
				spans = append(spans, record.Span{Partition: p, From: from, To: to})
			}
		}
		return spans, nil
	})
}

// stall is the longest wait for a message that must exist.
const stall = 30 * time.Second

// Read calls each for the messages of spans, one partition after the other, in order. It ends with the first error of
// each.
func (r *Reader) Read(ctx context.Context, topic string, spans []record.Span, each func(record.Record) error) error {
	consumer, err := sarama.NewConsumerFromClient(r.client)
	if err != nil {
		return fmt.Errorf("read topic %s: %w", topic, err)
	}
	for _, span := range spans {
		if err = readSpan(ctx, consumer, topic, span, each); err != nil {
			break
		}
	}
	if closed := consumer.Close(); closed != nil {
		err = errors.Join(err, fmt.Errorf("read topic %s: %w", topic, closed))
	}
	return err
}

func readSpan(ctx context.Context, consumer sarama.Consumer, topic string, span record.Span, each func(record.Record) error) error {
	partition, err := within(ctx, func() (sarama.PartitionConsumer, error) {
		return consumer.ConsumePartition(topic, span.Partition, span.From)
	})
	if err != nil {
		return fmt.Errorf("read partition %d of %s from %d: %w", span.Partition, topic, span.From, err)
	}
	defer func() { _ = partition.Close() }() // it was only read from
	patience := time.NewTimer(stall)
	defer patience.Stop()
	var last *sarama.ConsumerError
	for next := span.From; next < span.To; {
		patience.Reset(stall)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-patience.C:
			return fmt.Errorf("read partition %d of %s: nothing came from %d on, though it goes to %d: %w", span.Partition, topic, next, span.To-1, reason(last))
		case err := <-partition.Errors():
			if err != nil {
				last = err // the client retries; if that fails, no more messages arrive
			}
		case m, ok := <-partition.Messages():
			if !ok {
				return fmt.Errorf("read partition %d of %s: it ended at %d, before %d: %w", span.Partition, topic, next, span.To-1, reason(last))
			}
			next = m.Offset + 1
			if m.Offset >= span.To {
				return nil // the messages between were compacted
			}
			if err := each(decode(ctx, m)); err != nil {
				return err
			}
		}
	}
	return nil
}

// errUnknown is a read that ended without an error of the client.
var errUnknown = errors.New("the client gives no reason")

func reason(last *sarama.ConsumerError) error {
	if last == nil {
		return errUnknown
	}
	return last.Err
}
