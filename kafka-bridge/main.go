// Command kafka-bridge replaces Knative's Kafka Broker on clusters without it: it sends events from the topic to the
// broker's ingress, and the broker's dead letters to their topic.
package main

import (
	"context"

	"golang.org/x/sync/errgroup"

	"orderbell/internal/bus"
	"orderbell/internal/service"
)

func main() { service.Main("kafka-bridge", run) }

func run(ctx context.Context, s *service.Service) error {
	var cfg config
	if err := service.Load(&cfg); err != nil {
		return err
	}
	admin, err := bus.NewAdmin(cfg.Bus)
	if err != nil {
		return err
	}
	defer admin.Close()
	producer, err := bus.NewProducer(cfg.Bus)
	if err != nil {
		return err
	}
	defer producer.Close()
	consumer, err := bus.NewConsumer(cfg.Bus, bus.Earliest, s.Log)
	if err != nil {
		return err
	}
	b, err := newBridge(ctx, s, cfg, producer)
	if err != nil {
		return err
	}
	s.Ready(service.Check{Name: "kafka", Probe: admin.Check})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return consumer.ConsumeByKey(ctx, cfg.Bridge.Group, cfg.Bridge.InFlight, b.Forward) })
	group.Go(func() error { return s.Serve(ctx, b, nil) })
	return group.Wait()
}
