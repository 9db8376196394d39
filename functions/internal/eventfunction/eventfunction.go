// Package eventfunction connects the parts of a function that takes order events: receiver, pipeline, PostgreSQL,
// Redis and SMTP.
//
// A function often starts for an event, so the start does not wait: the pool and the feed connect in the background.
// The function is ready when both are connected, so a release with a wrong address gets no event. If a store fails
// later, events are answered 503 with the reason, and the broker retries.
package eventfunction

import (
	"context"
	"errors"

	"orderbell/functions/internal/receiver"
	"orderbell/internal/auth"
	"orderbell/internal/event"
	"orderbell/internal/feed"
	"orderbell/internal/pipeline"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/eventstore"
)

type config struct {
	Database database.Config
	Redis    feed.Config
	Receiver receiver.Config
	Pipeline pipeline.Config
	Mail     MailConfig
	Senders  auth.SenderConfig
}

// For returns the function for events of type t.
func For(t event.Type) func(context.Context, *service.Service) error {
	return func(ctx context.Context, s *service.Service) error { return run(ctx, s, t) }
}

func run(ctx context.Context, s *service.Service, t event.Type) (err error) {
	var cfg config
	if err := service.Load(&cfg); err != nil {
		return err
	}
	cfg.Senders.Log = s.Log
	senders, err := auth.NewSenders(ctx, cfg.Senders)
	if err != nil {
		return err
	}
	pool, err := database.Open(ctx, cfg.Database, s.Name)
	if err != nil {
		return err
	}
	defer pool.Close()
	watchers, err := feed.Open(cfg.Redis)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, watchers.Close()) }()
	if err := s.Observe(pool, watchers, senders); err != nil {
		return err
	}
	mail, err := OpenMail(s, cfg.Mail, func(domain string) *eventstore.Store { return eventstore.New(pool, domain) })
	if err != nil {
		return err
	}
	defer mail.Close(ctx)
	p, err := pipeline.New(cfg.Pipeline, mail.Store, watchers, mail.Courier, s.Log, s.Meter)
	if err != nil {
		return err
	}
	handler, err := receiver.New(cfg.Receiver.EventTimeout, senders, s.Log, s.Meter, receiver.Only(t, p.Handle))
	if err != nil {
		return err
	}
	s.Ready(
		service.Check{Name: "database", Probe: func(ctx context.Context) error { return database.Ready(ctx, pool) }},
		service.Check{Name: "redis", Probe: watchers.Ping},
	)
	return s.Serve(ctx, handler, nil)
}
