package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"orderbell/cmd/orderbell/internal/console"
	"orderbell/cmd/orderbell/internal/supervise"
	"orderbell/internal/dev/embedded"
)

// Config is what `orderbell dev` alone reads from the environment.
type Config struct {
	MailpitURL string        `envconfig:"MAILPIT_URL"`                  // the page of the Mailpit that serves SMTP_URL
	TokenLife  time.Duration `envconfig:"DEV_TOKEN_LIFE" default:"10m"` // of an access token of the OpenID provider
}

// Stores are the addresses of the four servers that the programs work with.
type Stores struct {
	DatabaseURL string
	RedisURL    string
	Brokers     string
	SMTPURL     string
	MailpitURL  string // "" if the mail server is not known to be a Mailpit
}

// stores are started in parallel: PostgreSQL takes as long as all the others.
type stores struct {
	Stores
	ownPostgres bool               // started here
	redis       *embedded.Redis    // nil if the environment names another, as the next
	mailpit     *supervise.Running //
	broken      chan error         // receives one error if a server without a supervisor ends
	mu          sync.Mutex
	stops       []func() error // in the order of their start
}

func (s *stores) onStop(stop func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stops = append(s.stops, stop)
}

func (s *stores) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for i := len(s.stops) - 1; i >= 0; i-- {
		err = errors.Join(err, s.stops[i]())
	}
	s.stops = nil
	return err
}

// startStores takes the servers that the environment names, and starts the others here. On an error it stops what it
// has started.
func startStores(ctx context.Context, opts Options, dir *Dir) (*stores, error) {
	s := &stores{broken: make(chan error, 1)}
	group, ctx := errgroup.WithContext(ctx)
	for _, one := range []struct {
		what, variable, hint string
		address              *string
		start                func(context.Context) error
	}{
		{"PostgreSQL", "DATABASE_URL", "the first start downloads it and creates the database", &s.DatabaseURL, func(ctx context.Context) error { return s.startPostgres(ctx, dir) }},
		{"Kafka (kfake)", "KAFKA_BROKERS", "reading its data", &s.Brokers, func(context.Context) error { return s.startKafka(dir) }},
		{"Redis (miniredis)", "REDIS_URL", "this machine is busy", &s.RedisURL, s.startRedis},
		{"mail (Mailpit)", "SMTP_URL", "reading its messages", &s.SMTPURL, func(ctx context.Context) error { return s.startMailpit(ctx, opts, dir) }},
	} {
		if address := os.Getenv(one.variable); address != "" {
			*one.address = address
			opts.Console.Printf("  · %-22s from %s", strings.SplitN(one.what, " (", 2)[0], one.variable)
			continue
		}
		group.Go(func() error { return opts.Console.Time(one.what, one.hint, func() error { return one.start(ctx) }) })
	}
	if err := group.Wait(); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	// Programs and adapters read the addresses from the environment.
	for name, value := range map[string]string{
		"DATABASE_URL": s.DatabaseURL, "KAFKA_BROKERS": s.Brokers, "REDIS_URL": s.RedisURL, "SMTP_URL": s.SMTPURL,
	} {
		if err := os.Setenv(name, value); err != nil {
			return nil, errors.Join(fmt.Errorf("set %s: %w", name, err), s.stop())
		}
	}
	if s.MailpitURL == "" {
		s.MailpitURL = strings.TrimSuffix(opts.Config.MailpitURL, "/")
	}
	return s, nil
}

func (s *stores) startPostgres(ctx context.Context, dir *Dir) error {
	log, err := os.OpenFile(dir.file("postgres.log"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, oursAlone)
	if err != nil {
		return fmt.Errorf("log of PostgreSQL: %w", err)
	}
	server, err := embedded.StartPostgres(ctx, embedded.PostgresOptions{DataDir: dir.file(postgresName), Log: log})
	if err != nil {
		return errors.Join(err, log.Close())
	}
	s.DatabaseURL, s.ownPostgres = server.URL(), true
	go func() {
		<-server.Done()
		s.broken <- errors.New("PostgreSQL has ended; see postgres.log in the data directory")
	}()
	s.onStop(func() error { return errors.Join(server.Stop(), log.Close()) })
	return nil
}

func (s *stores) startKafka(dir *Dir) error {
	server, err := embedded.StartKafka(embedded.KafkaOptions{DataDir: dir.file(kafkaName)})
	if err != nil {
		return err
	}
	s.Brokers = server.Brokers()
	s.onStop(func() error { server.Stop(); return nil })
	return nil
}

func (s *stores) startRedis(ctx context.Context) error {
	server, err := embedded.StartRedis()
	if err != nil {
		return err
	}
	s.RedisURL, s.redis = server.URL(), server
	s.onStop(func() error { server.Stop(); return nil })
	return nil
}

func (s *stores) startMailpit(ctx context.Context, opts Options, dir *Dir) error {
	mailpit, err := embedded.NewMailpit(ctx, filepath.Join(opts.BinDir, "mailpit"), dir.file(mailName))
	if err != nil {
		return err
	}
	binary, args := mailpit.Command()
	running := supervise.Start(supervise.Program{
		Name: "mailpit", Path: binary, Args: args, Env: []string{}, Ready: mailpit.Ready, Grace: grace, Log: voice(opts.Console, "mailpit"),
	}, nil)
	s.onStop(running.Stop)
	s.mailpit = running
	s.SMTPURL, s.MailpitURL = mailpit.SMTPURL(), mailpit.URL()
	return running.WaitReady(ctx)
}

func voice(c *console.Console, name string) supervise.Log { return c.Voice(name) }
