package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"orderbell/cmd/orderbell/internal/auditstore"
	"orderbell/cmd/orderbell/internal/check"
	"orderbell/cmd/orderbell/internal/devstack"
	"orderbell/cmd/orderbell/internal/seed"
	"orderbell/internal/bus"
	"orderbell/internal/feed"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/userstore"
)

// runCheck starts everything on free ports with its own data, checks it, and stops it.
func runCheck(ctx context.Context, o devOptions) (err error) {
	if o.data, err = os.MkdirTemp("", "orderbell-check-"); err != nil {
		return fmt.Errorf("make a directory for the check: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.data)) }()
	opts, err := stackOptions(o)
	if err != nil {
		return err
	}
	opts.Port = 0
	opts.Console.Hold() // the programs' output is only needed after a failure
	stack, err := devstack.Start(ctx, opts)
	if err != nil {
		opts.Console.Release()
		return interrupted(ctx, err)
	}
	opts.Console.Printf("checking …")
	checked := checkStack(ctx, stack, opts.Console.Printf)
	switch {
	case ctx.Err() != nil:
		checked = errors.New("interrupted while checking")
	case checked != nil:
		opts.Console.Release()
	}
	opts.Console.Printf("stopping …")
	err = errors.Join(checked, stack.Stop(context.WithoutCancel(ctx)))
	if err == nil {
		opts.Console.Printf("all is well")
	}
	return err
}

func checkStack(ctx context.Context, stack *devstack.Stack, printf func(string, ...any)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var cfg struct {
		Database database.Config
		Bus      bus.Config
		Feed     feed.Config
	}
	if err := service.Load(&cfg); err != nil {
		return err
	}
	pool, err := database.Open(ctx, cfg.Database, "orderbell-check")
	if err != nil {
		return err
	}
	defer pool.Close()
	// The check has its own tenant, because the stores may be in use.
	id := "check-" + strings.ToLower(rand.Text()[:10])
	businesses, err := seed.Apply(ctx, userstore.New(pool), []seed.Business{seed.Check(id)})
	if err != nil {
		return err
	}
	producer, err := bus.NewProducer(cfg.Bus)
	if err != nil {
		return err
	}
	defer producer.Close()
	admin, err := bus.NewAdmin(cfg.Bus)
	if err != nil {
		return err
	}
	defer admin.Close()
	stream, err := feed.Open(cfg.Feed)
	if err != nil {
		return err
	}
	defer stream.Close() //nolint:errcheck // it was only read
	arrivals := check.NewArrivals()
	stream.Follow(id)
	go func() { _ = stream.Run(ctx, arrivals) }() // without it one hop is not measured
	if stack.MailpitURL == "" {
		printf("  · MAILPIT_URL is not set: mails are looked up in the database, not in the inboxes")
	}
	return check.Run(ctx, check.Config{
		Origin: stack.Origin, Business: businesses[0], Tokens: stack.Tokens, Trails: auditstore.New(pool),
		Stream: stream, Arrivals: arrivals, Bus: producer, Topic: cfg.Bus.Topic, Lags: admin, Groups: devstack.Groups(), Patience: check.DefaultPatience,
		Mailpit: stack.MailpitURL, Printf: printf,
	})
}
