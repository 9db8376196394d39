// Package devstack runs all of Orderbell on one machine: the stores, the programs, the local broker and one origin, with
// one start and one stop.
//
// No process survives a stop or a kill of this process: the kernel ends its children. The next start finds the data of
// the data directory. Only Redis starts empty: open pages get resync and load the snapshot.
package devstack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"orderbell/cmd/orderbell/internal/console"
	"orderbell/cmd/orderbell/internal/seed"
	"orderbell/internal/auth"
	"orderbell/internal/bus"
	"orderbell/internal/feed"
	"orderbell/internal/origin"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/schema"
	"orderbell/internal/store/userstore"
)

// Options say what to run and where.
type Options struct {
	DataDir string
	Reset   bool   // begin with an empty data directory
	Port    int    // of the origin; 0 takes a free one
	BinDir  string // the folder of the programs
	Dist    fs.FS  // the built front end
	Config  Config
	Console *console.Console
}

// TokenTTL is the lifetime of the demo users' tokens.
const TokenTTL = 12 * time.Hour

// Stack is a running Orderbell.
type Stack struct {
	Stores
	Businesses []seed.Business
	Tokens     seed.Tokens
	Origin     string // http://localhost:8080
	Operations string // the address of the operations page

	opts     Options
	dir      *Dir
	stores   *stores
	programs *programs
	broker   *broker
	sweeper  *sweeper
	redriver *redriver
	server   *origin.Server
	spans    *spans
	signIn   *signIn
	ops      *operations
	stateMu  sync.Mutex
	ready    bool

	databaseURLs map[string]string // of programs with a role of their own
	senderSecret string            // what broker and functions share
}

// Start starts everything and returns when all of it is ready. On an error nothing is left running.
func Start(ctx context.Context, opts Options) (*Stack, error) {
	if err := checkPrograms(opts.BinDir); err != nil {
		return nil, err
	}
	dir, err := OpenDir(opts.DataDir)
	if err != nil {
		return nil, err
	}
	if opts.Reset {
		if err := dir.Reset(); err != nil {
			return nil, errors.Join(err, dir.Close())
		}
	}
	// First the port: a port in use is reported before the slow start of the stores.
	listeners, err := origin.Listen(ctx, opts.Port)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	s := &Stack{opts: opts, dir: dir, Origin: origin.Address(listeners)}
	if err := s.start(ctx, listeners); err != nil {
		for _, l := range listeners {
			_ = l.Close() // the server may have closed it already
		}
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

func (s *Stack) start(ctx context.Context, listeners []net.Listener) error {
	err := s.setSecrets()
	if err != nil {
		return err
	}
	if s.senderSecret, err = s.newSenderSecret(); err != nil {
		return err
	}
	s.opts.Console.Printf("starting the stores …")
	if s.stores, err = startStores(ctx, s.opts, s.dir); err != nil {
		return err
	}
	s.Stores = s.stores.Stores
	var cfg config
	if err := service.Load(&cfg); err != nil { // all servers are in the environment from here on
		return err
	}
	s.Tokens = seed.Tokens{Auth: cfg.Auth, TTL: TokenTTL}
	if err := s.prepare(ctx, cfg); err != nil {
		return err
	}
	if s.signIn, err = s.startSignIn(ctx); err != nil {
		return err
	}
	if s.spans, err = startSpans(ctx, slog.New(slog.NewTextHandler(s.opts.Console.Voice("spans"), nil))); err != nil {
		return err
	}
	s.opts.Console.Printf("starting the programs …")
	if s.programs, err = startPrograms(ctx, s.opts, s.Origin, s.spans.environment(), s.databaseURLs, s.programChanged); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(s.opts.Console.Voice("broker"), nil))
	if s.broker, err = startBroker(cfg.Bus, log, s.programs.urls, s.senderSecret); err != nil {
		return err
	}
	s.sweeper = startSweeper(s.programs.urls[deliverySweeper].String()+"/", s.senderSecret, log)
	if s.redriver, err = startRedriver(ctx, cfg, log); err != nil {
		return err
	}
	s.serve(listeners)
	if s.ops, err = s.startOperations(ctx, cfg); err != nil {
		return err
	}
	s.Operations = s.ops.url
	s.stateMu.Lock()
	s.ready = true
	s.stateMu.Unlock()
	return s.writeState()
}

// config is the configuration of the dev stack itself.
type config struct {
	Database database.Config
	Bus      bus.Config
	Redis    feed.Config
	Auth     auth.Config
}

// setSecrets takes the secret of the environment, else the data directory's, and puts it into the environment, where
// the programs read it, also for the links in mails.
func (s *Stack) setSecrets() error {
	secret := os.Getenv("AUTH_DEV_SECRET")
	if secret == "" {
		var err error
		if secret, err = s.dir.Secret(); err != nil {
			return err
		}
	}
	// With a JWKS URL the demo users could not sign in.
	if err := errors.Join(os.Setenv("AUTH_DEV_SECRET", secret), os.Unsetenv("AUTH_JWKS_URL")); err != nil {
		return fmt.Errorf("set AUTH_DEV_SECRET: %w", err)
	}
	if os.Getenv("UNSUBSCRIBE_SECRET") == "" {
		if err := os.Setenv("UNSUBSCRIBE_SECRET", secret); err != nil { // used for both; each signed value names its purpose
			return fmt.Errorf("set UNSUBSCRIBE_SECRET: %w", err)
		}
	}
	return nil
}

// newSenderSecret takes the secret of the environment, else the data directory's, and puts it into the environment, where
// the functions read it.
func (s *Stack) newSenderSecret() (string, error) {
	secret := os.Getenv("EVENT_SENDER_SECRET")
	if secret == "" {
		var err error
		if secret, err = s.dir.SenderSecret(); err != nil {
			return "", err
		}
	}
	if err := os.Setenv("EVENT_SENDER_SECRET", secret); err != nil {
		return "", fmt.Errorf("set EVENT_SENDER_SECRET: %w", err)
	}
	return secret, nil
}

// prepare creates the schema, the demo businesses and the topics.
func (s *Stack) prepare(ctx context.Context, cfg config) error {
	return s.opts.Console.Time("schema and demo users", "waiting for the database", func() error {
		if err := schema.Up(ctx, cfg.Database, nil); err != nil {
			return err
		}
		var err error
		if s.databaseURLs, err = s.stores.logins(ctx, cfg.Database); err != nil {
			return err
		}
		pool, err := database.Open(ctx, cfg.Database, "orderbell-dev")
		if err != nil {
			return err
		}
		defer pool.Close()
		s.Businesses, err = seed.Apply(ctx, userstore.New(pool), seed.Demo())
		if err != nil {
			return err
		}
		return ensureTopics(ctx, cfg.Bus)
	})
}

// partitions is small, because more partitions have no advantage on one machine.
const partitions = 6

func ensureTopics(ctx context.Context, cfg bus.Config) error {
	admin, err := bus.NewAdmin(cfg)
	if err != nil {
		return err
	}
	defer admin.Close()
	return admin.EnsureTopics(ctx, partitions, 1)
}

func (s *Stack) serve(listeners []net.Listener) {
	logger := log.New(s.opts.Console.Voice("origin"), "", 0)
	if _, err := origin.NewFiles(s.opts.Dist); err != nil {
		s.opts.Console.Printf("  · %s", err)
	}
	s.server = origin.Serve(origin.New(origin.Config{
		Routes: s.programs.routes(), Settings: s.signIn.settings, Files: frontEnd(s.opts.Dist), Users: seed.NewUsersHandler(s.Businesses, s.Tokens, logger), Log: logger,
	}), listeners, slog.New(slog.NewTextHandler(s.opts.Console.Voice("origin"), nil)))
}

// frontEnd serves the current content of dist. The page may be rebuilt while the stack runs.
func frontEnd(dist fs.FS) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		files, err := origin.NewFiles(dist)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		files.ServeHTTP(w, r)
	})
}

// State is where everything is now.
func (s *Stack) State() State {
	return State{
		PID: os.Getpid(), Origin: s.Origin, MailpitURL: s.MailpitURL, DatabaseURL: s.DatabaseURL, RedisURL: s.RedisURL,
		Brokers: s.Brokers, SMTPURL: s.SMTPURL, Secret: s.Tokens.Auth.DevSecret, SenderSecret: s.senderSecret, Operations: s.Operations, Programs: s.programs.states(), TracesURL: s.spans.address(),
	}
}

// programChanged updates the process ids in the state file. The file exists only while the stack is ready.
func (s *Stack) programChanged() {
	if err := s.writeState(); err != nil {
		s.opts.Console.Printf("%s", err)
	}
}

func (s *Stack) writeState() error {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	if !s.ready {
		return nil
	}
	return s.dir.writeState(s.State())
}

// Wait returns nil when ctx ends. It returns an error earlier if something ends that cannot be restarted.
func (s *Stack) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.server.Failed():
		return err
	case err := <-s.stores.broken:
		return err
	case err := <-s.broker.broken:
		return err
	}
}

// streamPatience is the time that requests in flight have when the origin stops. Then streams are cut, and their clients
// reconnect with Last-Event-ID.
const streamPatience = 500 * time.Millisecond

// Stop stops everything in the order of the event path and returns when all processes have ended. It may be called
// once.
func (s *Stack) Stop(ctx context.Context) error {
	s.stateMu.Lock()
	s.ready = false
	s.stateMu.Unlock()
	var err error
	if s.ops != nil {
		err = s.ops.stop(ctx)
	}
	if s.server != nil {
		ctx, cancel := context.WithTimeout(ctx, streamPatience)
		err = errors.Join(err, s.server.Stop(ctx))
		cancel()
	}
	if s.signIn != nil {
		err = errors.Join(err, s.signIn.stop(ctx))
	}
	if s.sweeper != nil {
		s.sweeper.stop()
	}
	if s.redriver != nil {
		s.redriver.stop()
	}
	if s.programs != nil {
		err = errors.Join(err, s.programs.stop(makers()))
	}
	if s.broker != nil {
		s.broker.stop()
	}
	if s.programs != nil {
		err = errors.Join(err, s.programs.stop(nil))
	}
	err = errors.Join(err, s.spans.stop())
	if s.stores != nil {
		err = errors.Join(err, s.stores.stop())
	}
	return errors.Join(err, s.dir.Close())
}
