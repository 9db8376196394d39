package main

import (
	"context"

	"orderbell/internal/bus"
	"orderbell/internal/feed"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
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
