package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// Waiting is the lag of a consumer group.
type Waiting struct {
	Messages int64
	Oldest   time.Time // when the oldest of them was written; zero without one
}

// Oldest returns the Oldest of [Admin.Waiting].
func (a *Admin) Oldest(ctx context.Context, group string) (time.Time, error) {
	w, err := a.Waiting(ctx, group)
	return w.Oldest, err
}

// Waiting returns the number of messages of the topic of events that group has not committed, and the time of the
// oldest. It reads the oldest such message of each partition.
func (a *Admin) Waiting(ctx context.Context, group string) (Waiting, error) {
	var w Waiting
	err := a.do(ctx, func(client sarama.Client) error {
		places, err := a.places(client, group)
		if err != nil {
			return err
		}
		consumer, err := sarama.NewConsumerFromClient(client)
		if err != nil {
			return fmt.Errorf("read topic %s: %w", a.config.Topic, err)
		}
		defer func() { _ = consumer.Close() }() // it was only read from
		for p, at := range places {
			if at.end <= at.next {
				continue
			}
			w.Messages += at.end - at.next
			oldest, err := firstTime(ctx, consumer, a.config.Topic, p, at.next)
			if err != nil {
				return err
			}
			if w.Oldest.IsZero() || oldest.Before(w.Oldest) {
				w.Oldest = oldest
			}
		}
		return nil
	})
	if err != nil {
		return Waiting{}, err
	}
	return w, nil
}

// firstTime returns the time of the first message of a partition at or after offset.
func firstTime(ctx context.Context, consumer sarama.Consumer, topic string, partition int32, offset int64) (time.Time, error) {
	reading, err := consumer.ConsumePartition(topic, partition, offset)
	if errors.Is(err, sarama.ErrOffsetOutOfRange) { // the topic's retention has removed it meanwhile
		reading, err = consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read partition %d of %s from %d: %w", partition, topic, offset, err)
	}
	defer reading.AsyncClose()
	select {
	case m, ok := <-reading.Messages():
		if !ok {
			return time.Time{}, fmt.Errorf("read partition %d of %s from %d: %w", partition, topic, offset, errUnknown)
		}
		return m.Timestamp, nil
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("read partition %d of %s from %d: %w", partition, topic, offset, context.Cause(ctx))
	}
}
