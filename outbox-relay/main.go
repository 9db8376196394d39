// Command outbox-relay sends the events of committed orders from PostgreSQL to Kafka.
package main

import (
	"context"
	"net/http"

	"orderbell/internal/bus"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
)

func main() { service.Main("outbox-relay", run) }

func run(ctx context.Context, s *service.Service) error {
	var cfg config
	if err := service.Load(&cfg); err != nil {
		return err
	}
	pool, err := database.Open(ctx, cfg.Database, s.Name)
	if err != nil {
		return err
	}
	defer pool.Close()
	producer, err := bus.NewProducer(cfg.Bus)
	if err != nil {
		return err
	}
	defer producer.Close()
	admin, err := bus.NewAdmin(cfg.Bus)
	if err != nil {
		return err
	}
	if err := s.Observe(pool); err != nil {
		return err
	}
	r, err := newRelay(cfg, pool, producer, admin, s)
	if err != nil {
		return err
	}
	s.Ready(service.Check{Name: "database", Probe: func(ctx context.Context) error { return database.Ready(ctx, pool) }},
		service.Check{Name: "kafka", Probe: admin.Check})
	ended, err := startReaders(ctx, cfg, producer, s, r)
	if err != nil {
		return err
	}
	defer ended()
	r.Start(ctx)
	return s.Serve(ctx, http.NotFoundHandler(), r.Wait)
}
