// Command delivery-sweeper is triggered by a schedule: it sends due mails and removes old rows.
package main

import (
	"context"
	"errors"

	"orderbell/functions/delivery-sweeper/internal/sweep"
	"orderbell/functions/internal/eventfunction"
	"orderbell/functions/internal/receiver"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/store/orderstore"
	"orderbell/internal/store/outbox"
	"orderbell/internal/store/userstore"
)

func main() { service.Main("delivery-sweeper", run) }

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
	mail, err := eventfunction.OpenMail(s, cfg.Mail, func(domain string) *eventstore.Store { return eventstore.New(pool, domain) })
	if err != nil {
		return err
	}
	defer mail.Close(ctx)
	users := userstore.New(pool)
	sweeper, err := sweep.New(cfg.Sweep, cfg.Events.RetentionDays, mail.Lines, mail.Store, outbox.New(pool), orderstore.New(pool), users, users, mail.Courier, s.Log, s.Meter)
	senders, err2 := cfg.senders(ctx, s)
	if err = errors.Join(err, err2); err != nil {
		return err
	}
	handler, err := receiver.New(cfg.Sweep.Timeout, senders, s.Log, s.Meter, func(ctx context.Context, _ cloudevent.Event) error { return sweeper.Sweep(ctx) })
	if err = errors.Join(err, s.Observe(pool)); err != nil {
		return err
	}
	s.Ready(service.Check{Name: "database", Probe: func(ctx context.Context) error { return database.Ready(ctx, pool) }})
	return s.Serve(ctx, handler, nil)
}
