package main

import (
	"context"

	"orderbell/internal/bus"
	"orderbell/internal/feed"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/outbox-relay/internal/deadletters"
	"orderbell/outbox-relay/internal/relay"
	"orderbell/outbox-relay/internal/scan"
)

type config struct {
	Database database.Config
	Bus      bus.Config
	Redis    feed.Config // for the hints of order-api
	Relay    relay.Config
	Scan     scan.Config
}

// startReaders starts the scan, the count of dead letters, and the receiver of hints. The returned function waits for
// their end after ctx has ended.
func startReaders(ctx context.Context, cfg config, producer scan.Producer, s *service.Service, r *relay.Relay) (wait func(), err error) {
	hints, err := feed.Open(cfg.Redis)
	if err != nil {
		return nil, err
	}
	reader, err := bus.NewReader(cfg.Bus)
	if err != nil {
		return nil, err
	}
	counter, err := deadletters.New(cfg.Bus.DeadLetterTopic, reader, s.Log, s.Meter)
	if err != nil {
		return nil, err
	}
	scanned, err := startScan(ctx, cfg.Scan, cfg.Bus, producer, s)
	if err != nil {
		return nil, err
	}
	go func() {
		hints.Hints(ctx, r.Hint)
		_ = hints.Close() // the program ends
	}()
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		defer reader.Close()
		counter.Follow(ctx)
	}()
	return func() { scanned(); <-counted }, nil
}

// startScan starts the scan for records that are not CloudEvents, if cfg names a group. The returned function waits for
// its end after ctx has ended.
func startScan(ctx context.Context, cfg scan.Config, kafka bus.Config, producer scan.Producer, s *service.Service) (wait func(), err error) {
	if cfg.Group == "" {
		return func() {}, nil
	}
	scanner, err := scan.New(kafka.DeadLetterTopic, producer, s.Log, s.Meter)
	if err != nil {
		return nil, err
	}
	consumer, err := bus.NewConsumer(kafka, bus.Earliest, s.Log)
	if err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := consumer.Consume(ctx, cfg.Group, scan.InFlight, scanner.Check); err != nil {
			s.Log.ErrorContext(ctx, "scan ended", "err", err)
		}
	}()
	return func() { <-done }, nil
}
