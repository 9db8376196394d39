// Package scan writes a dead letter for each record of the topic of events that is not a CloudEvent, or has a type that no
// function takes. Knative's Kafka broker skips both (eventing-kafka-broker 0.48); kafka-bridge and the local broker write dead
// letters by themselves, and need no scan.
//
// It reads the topic as a consumer group. A crash between the write and the commit writes the dead letter again.
package scan

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/metric"

	"orderbell/internal/bus/record"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
)

// Config configures the scan.
type Config struct {
	// Group is the consumer group of the scan. Empty: no scan. A new group starts with the oldest record.
	Group string `envconfig:"RELAY_SCAN_GROUP"`
}

// InFlight is the number of records of a partition that are checked at once.
const InFlight = 256

// Producer writes dead letters.
type Producer interface {
	// Send returns one error per event: nil if Kafka has it, [record.ErrRefused] if Kafka never accepts it.
	Send(ctx context.Context, topic string, events []cloudevent.Event) []error
}

// Scanner is made by [New].
type Scanner struct {
	deadLetters string // a topic
	producer    Producer
	log         *slog.Logger
	found       metric.Int64Counter
}

// New returns a scanner that writes to the topic deadLetters.
func New(deadLetters string, producer Producer, log *slog.Logger, meter metric.Meter) (*Scanner, error) {
	found, err := meter.Int64Counter("orderbell.relay.invalid_records",
		metric.WithDescription("Records of the topic of events that are not CloudEvents, or of an unknown type, and became dead letters."))
	if err != nil {
		return nil, fmt.Errorf("set up scan metrics: %w", err)
	}
	return &Scanner{deadLetters: deadLetters, producer: producer, log: log, found: found}, nil
}

// Check writes a dead letter if r is not a CloudEvent of a known type. After an error the record must be checked again.
func (s *Scanner) Check(ctx context.Context, r record.Record) error {
	letter, ok := r.DeadLetter("/orderbell/outbox-relay")
	if !ok {
		return nil
	}
	err := errors.Join(s.producer.Send(ctx, s.deadLetters, []cloudevent.Event{letter})...)
	if errors.Is(err, record.ErrRefused) && len(letter.DataEncoded) > 0 {
		letter.DataEncoded = nil // too large for the topic: the dead letter names partition and offset of the record
		err = errors.Join(s.producer.Send(ctx, s.deadLetters, []cloudevent.Event{letter})...)
	}
	if err != nil {
		return fmt.Errorf("write dead letter: %w", err)
	}
	s.log.ErrorContext(ctx, "record is invalid and becomes a dead letter",
		"topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "reason", deadletter.Reason(letter))
	s.found.Add(ctx, 1)
	return nil
}
