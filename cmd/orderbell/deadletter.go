package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/cmd/orderbell/internal/progress"
	"orderbell/internal/bus"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/user"
)

// deadLetterOptions are the options of all subcommands.
type deadLetterOptions struct {
	data   string
	asJSON bool
	filter deadletter.Filter
	since  *moment

	database *databaseOfLetters
}

func newDeadLetterCommand() *cobra.Command {
	o := &deadLetterOptions{since: newMoment()}
	cmd := &cobra.Command{
		Use:   "deadletter",
		Short: "List dead letters, and send their events again",
		Long: `List dead letters (events that could not be delivered), and send their events again.

The command uses the Kafka of KAFKA_BROKERS or, if that is not set, of the orderbell dev that runs on the data directory.

The id of a letter is its partition and offset, such as 3-42. The id of its event works too.`,
		Example: `  orderbell deadletter list --open
  orderbell deadletter show 3-42
  orderbell deadletter redrive --all --tenant demo --since 2h --dry-run`,
		Args: noArguments,
		RunE: missingSubcommand,
	}
	cmd.PersistentFlags().StringVar(&o.data, "data", defaultData, "data directory of orderbell dev")
	cmd.PersistentFlags().BoolVar(&o.asJSON, "json", false, "print JSON")
	cmd.AddCommand(newDeadLetterListCommand(o), newDeadLetterShowCommand(o), newDeadLetterRedriveCommand(o), newDeadLetterCloseCommand(o))
	return cmd
}

func (o *deadLetterOptions) filters(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.filter.TenantID, "tenant", "", "only this tenant")
	cmd.Flags().StringVar(&o.filter.Reason, "reason", "", "only letters whose reason contains this text; case does not matter")
	cmd.Flags().Var(o.since, "since", "only letters written since then: a duration, such as 2h, or an RFC 3339 time")
}

// withOffice calls do with an Office that uses Kafka, including the producer for redriving.
func (o *deadLetterOptions) withOffice(cmd *cobra.Command, do func(context.Context, *deadletter.Office) error) error {
	if err := adoptDevStack(o.data, "KAFKA_BROKERS"); err != nil {
		return err
	}
	var cfg bus.Config
	if err := service.Load(&cfg); err != nil {
		return err
	}
	reader, err := bus.NewReader(cfg)
	if err != nil {
		return err
	}
	defer reader.Close()
	producer, err := bus.NewProducer(cfg)
	if err != nil {
		return err
	}
	defer producer.Close()
	o.database = &databaseOfLetters{data: o.data}
	defer o.database.close()
	o.filter.Since = o.since.Time
	return do(cmd.Context(), &deadletter.Office{
		Topics: deadletter.Topics{Events: cfg.Topic, DeadLetters: cfg.DeadLetterTopic}, Reader: reader, Bus: producer, Sources: o.database,
		Progress: progress.On(cmd.ErrOrStderr()),
	})
}

// databaseOfLetters gives access to the sources of events and the audit trail. It connects at the first use.
type databaseOfLetters struct {
	data string
	pool *database.Pool
}

func (s *databaseOfLetters) open(ctx context.Context) error {
	if s.pool != nil {
		return nil
	}
	if err := adoptDevStack(s.data, "DATABASE_URL"); err != nil {
		return err
	}
	cfg, err := databaseConfig()
	if err != nil {
		return err
	}
	s.pool, err = database.Open(ctx, cfg, "orderbell-deadletter")
	return err
}

// SourceAllowed is called only for dead letters of other order services.
func (s *databaseOfLetters) SourceAllowed(ctx context.Context, source, tenantID string) (bool, error) {
	if err := s.open(ctx); err != nil {
		return false, fmt.Errorf("the dead letter is of source %s: %w", source, err)
	}
	return eventstore.New(s.pool, "").SourceAllowed(ctx, source, tenantID)
}

func (s *databaseOfLetters) close() {
	if s.pool != nil {
		s.pool.Close()
	}
}

func newDeadLetterListCommand(o *deadLetterOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, oldest first",
		Example: `  orderbell deadletter list
  orderbell deadletter list --open --tenant demo --reason database --since 24h
  orderbell deadletter list --json | jq -r '.[].reason' | sort | uniq -c`,
		Args: noArguments,
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			return o.withOffice(cmd, func(ctx context.Context, office *deadletter.Office) error {
				letters, err := office.List(ctx, o.filter)
				if err != nil {
					return err
				}
				if o.asJSON {
					return printJSON(cmd.OutOrStdout(), append([]deadletter.Letter{}, letters...)) // [] and never null
				}
				return printLetters(cmd, letters)
			})
		}),
	}
	o.filters(cmd)
	cmd.Flags().BoolVar(&o.filter.Open, "open", false, "only letters that are neither redriven nor closed, each once")
	return cmd
}

func newDeadLetterShowCommand(o *deadLetterOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show everything that a dead letter contains",
		Example: `  orderbell deadletter show 3-42
  orderbell deadletter show 0193b5a2-1c1e-7c3a-9d55-0a1b2c3d4e5f --json`,
		Args: oneArgument,
		RunE: work(func(cmd *cobra.Command, args []string) error {
			return o.withOffice(cmd, func(ctx context.Context, office *deadletter.Office) error {
				found, err := office.Show(ctx, args[0])
				if err != nil {
					return err
				}
				if o.asJSON {
					return printJSON(cmd.OutOrStdout(), found)
				}
				return printExhibits(cmd, found)
			})
		}),
	}
}

func newDeadLetterRedriveCommand(o *deadLetterOptions) *cobra.Command {
	var all, auto, dryRun bool
	var rate int
	var groups []string
	cmd := &cobra.Command{
		Use:   "redrive [ID…]",
		Short: "Send the events of dead letters to their functions again",
		Long: `Send the events of dead letters to the topic of events again, unchanged, and record that on the topic of dead letters.

With --auto the command sends only letters that failed for a temporary reason: the function did not answer, or answered with a status
that the broker retries. Each letter waits 30 s after it was written, and twice as long for each earlier letter of its event, an hour
at most. A function that had a new letter in the last 30 s gets ten letters, and the others when it has no new one. An event whose
first letter is older than three days is left to an operator. Run it every minute: then nothing else needs to be done after an outage.

With --groups, the consumer groups of all Triggers, it also finds events that the broker has dropped because the topic of dead letters
did not accept them: events of the outbox, sent at least five minutes ago, that all groups have passed, without a record (or, with
REDIS_URL, not published) and without a dead letter. It writes their dead letters, 1,000 in a run at most, and later runs redrive them.
A run checks the last 15 minutes of the outbox, and a run in the first minute of an hour checks all of it.

If the event was applied meanwhile, its function drops it as a duplicate. The command refuses an event that still violates the contract,
or whose source may not send events for its tenant (orderbell source). It writes each action to the audit trail of the database
(DATABASE_URL). Exit status 1: a named letter was refused, or Kafka did not accept every event. Run the command again to continue.`,
		Example: `  orderbell deadletter redrive 3-42
  orderbell deadletter redrive --all --reason 'no database' --dry-run
  orderbell deadletter redrive --all
  orderbell deadletter redrive --auto --rate 100 --groups order-created,order-paid,order-status-updated`,
		Args: func(cmd *cobra.Command, args []string) error {
			filtered := false
			for _, name := range []string{"tenant", "reason", "since"} {
				filtered = filtered || cmd.Flags().Changed(name)
			}
			switch {
			case all && auto || (all || auto) == (len(args) > 0):
				return errors.New("give the ids of dead letters, or --all, or --auto")
			case len(args) > 0 && filtered:
				return errors.New("--tenant, --reason and --since need --all: leave them out if you give ids")
			case len(groups) > 0 && !auto:
				return errors.New("--groups needs --auto: leave it out without --auto")
			case rate < 0:
				return fmt.Errorf("--rate must be 0 or more, not %d", rate)
			}
			return nil
		},
		RunE: work(func(cmd *cobra.Command, args []string) error {
			return o.withOffice(cmd, func(ctx context.Context, office *deadletter.Office) error {
				office.PerSecond = rate
				result, err := office.Redrive(ctx, deadletter.Choice{IDs: args, Filter: o.filter, Auto: auto}, dryRun)
				if !dryRun {
					err = errors.Join(err, o.database.record(ctx, cmd.ErrOrStderr(), "deadletter.redriven", user.Done, result.Redriven),
						o.database.record(ctx, cmd.ErrOrStderr(), "deadletter.redriven", user.Refused, result.Refused))
				}
				dropped, repairErr := o.repair(ctx, cmd, office, groups, dryRun)
				result.Repaired, err = dropped, errors.Join(err, repairErr)
				if err == nil && len(args) > 0 && len(result.Refused) > 0 {
					err = fmt.Errorf("%d of %d dead letters were refused: the reasons are above", len(result.Refused), len(result.Refused)+len(result.Redriven))
				}
				if o.asJSON {
					return errors.Join(err, printJSON(cmd.OutOrStdout(), result))
				}
				return errors.Join(err, printResult(cmd, result))
			})
		}),
	}
	o.filters(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all letters that are neither redriven nor closed")
	cmd.Flags().BoolVar(&auto, "auto", false, "all letters that failed for a temporary reason, when they are due")
	cmd.Flags().IntVar(&rate, "rate", 0, "the most letters sent per second; 0: no limit")
	cmd.Flags().StringSliceVar(&groups, "groups", nil, "consumer groups of the Triggers: also find events that the broker has dropped")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print what would be sent, and send nothing")
	return cmd
}
