package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"orderbell/cmd/orderbell/internal/console"
	"orderbell/cmd/orderbell/internal/devstack"
	"orderbell/internal/service"
	"orderbell/internal/text"
	"orderbell/internal/user"
)

// defaultData is the data directory of a clone; git ignores it.
const defaultData = ".dev"

type devOptions struct {
	data, frontend string
	reset, check   bool
}

func newDevCommand() *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run everything on this machine: stores, programs, broker and front end",
		Long: `Run everything on this machine: stores, programs, broker and front end, at http://localhost:8080 (PORT chooses
another port). Ctrl-C stops everything. The next start keeps the data.

It also starts PostgreSQL, Kafka, Redis and a mail server. If DATABASE_URL, KAFKA_BROKERS, REDIS_URL or SMTP_URL is set, it
uses that server instead. MAILPIT_URL is the address of your own Mailpit, where --check looks for the mails.`,
		Example: `  orderbell dev
  orderbell dev --reset            # begin with an empty data directory
  PORT=9000 orderbell dev --data /tmp/second
  orderbell dev --check            # start, take one order all the way, stop`,
		Args: noArguments,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			if o.check && (o.reset || cmd.Flags().Changed("data")) {
				return errors.New("--check uses a directory of its own: leave out --data and --reset")
			}
			return nil
		},
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			if o.check {
				return runCheck(cmd.Context(), o)
			}
			return runDev(cmd.Context(), o)
		}),
	}
	cmd.Flags().StringVar(&o.data, "data", defaultData, "directory for the data and the development secret")
	cmd.Flags().StringVar(&o.frontend, "frontend", "", "folder of the built front end (default: ../frontend/dist from this program)")
	cmd.Flags().BoolVar(&o.reset, "reset", false, "delete the data first")
	cmd.Flags().BoolVar(&o.check, "check", false, "take one order from created to completed, print the time of each hop, and exit")
	return cmd
}

// stackOptions returns the options of the flags and of the environment.
func stackOptions(o devOptions) (devstack.Options, error) {
	var cfg struct {
		Service service.Config
		Stack   devstack.Config
	}
	if err := service.Load(&cfg); err != nil {
		return devstack.Options{}, err
	}
	executable, err := os.Executable()
	if err == nil {
		executable, err = filepath.EvalSymlinks(executable)
	}
	if err != nil {
		return devstack.Options{}, fmt.Errorf("find this program's folder: %w", err)
	}
	bin := filepath.Dir(executable)
	if o.frontend == "" {
		o.frontend = filepath.Join(bin, "..", "frontend", "dist")
	}
	return devstack.Options{
		DataDir: o.data, Reset: o.reset, Port: cfg.Service.Port, BinDir: bin, Dist: os.DirFS(o.frontend), Console: console.New(os.Stdout), Config: cfg.Stack,
	}, nil
}

func runDev(ctx context.Context, o devOptions) (err error) {
	opts, err := stackOptions(o)
	if err != nil {
		return err
	}
	began := time.Now()
	stack, err := devstack.Start(ctx, opts)
	if err != nil {
		return interrupted(ctx, err)
	}
	printWelcome(opts.Console, stack, time.Since(began))
	err = stack.Wait(ctx)
	opts.Console.Printf("stopping …")
	return errors.Join(err, stack.Stop(context.WithoutCancel(ctx)))
}

// interrupted drops errors that a Ctrl-C during the start caused.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted while starting: everything was stopped")
	}
	return err
}

func printWelcome(c *console.Console, s *devstack.Stack, took time.Duration) {
	c.Printf("\nOrderbell is ready after %s\n", console.Seconds(took))
	c.Printf("  the page   %s", s.Origin)
	if s.MailpitURL != "" {
		c.Printf("  the mails  %s", s.MailpitURL)
	}
	c.Printf("  operations %s", s.Operations)
	for _, b := range s.Businesses {
		for _, p := range b.Users {
			if !slices.Contains(p.Roles, user.Owner) {
				continue
			}
			token, _, err := s.Tokens.For(p, time.Now())
			if err != nil {
				c.Printf("  no token for %s: %s", p.Email, err)
				continue
			}
			c.Printf("\n  %s (%s), tenant %s, good for %.0f h:\n  %s", p.Email, text.Terminal(p.Name), b.Tenant.ID, s.Tokens.TTL.Hours(), token)
		}
	}
	c.Printf("\n  all demo users with tokens: %s/dev/users, or: orderbell token --tenant demo --email viewer@demo.example", s.Origin)
	c.Printf("  Ctrl-C stops everything\n")
}
