package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"orderbell/internal/mail"
	"orderbell/internal/store/database"
	"orderbell/internal/store/eventstore"
)

// mailOptions are the options of the subcommands.
type mailOptions struct {
	data     string
	asJSON   bool
	dryRun   bool
	all      bool
	filter   mail.Filter
	statuses []string
	since    *moment
	most     int
}

func newMailCommand() *cobra.Command {
	o := &mailOptions{since: newMoment()}
	cmd := &cobra.Command{
		Use:   "mail",
		Short: "List mails, send failed ones again, and manage suppressed addresses",
		Long: `List mails, send failed ones again, and manage suppressed addresses.

A mail fails if its recipient's mail server refuses it for good, or after EMAIL_MAX_ATTEMPTS attempts. An address without a
mailbox is suppressed: nothing is sent to it until it is taken off the list.

` + whichDatabase,
		Example: `  orderbell mail list --status failed
  orderbell mail retry --all --tenant demo --since 24h --dry-run
  orderbell mail suppressions list`,
		Args: noArguments,
		RunE: missingSubcommand,
	}
	cmd.PersistentFlags().StringVar(&o.data, "data", defaultData, "data directory of orderbell dev")
	cmd.PersistentFlags().BoolVar(&o.asJSON, "json", false, "print JSON")
	cmd.AddCommand(newMailListCommand(o), newMailShowCommand(o), newMailRetryCommand(o), newSuppressionsCommand(o))
	return cmd
}

func (o *mailOptions) filters(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.filter.TenantID, "tenant", "", "only this tenant")
	cmd.Flags().StringVar(&o.filter.Email, "user", "", "only mails to the user with this address")
	cmd.Flags().StringVar(&o.filter.Reason, "reason", "", "only mails whose reason contains this text; case does not matter")
	cmd.Flags().StringSliceVar(&o.statuses, "status", nil, "only mails with this status: due, sent, failed or suppressed (may be repeated)")
	cmd.Flags().Var(o.since, "since", "only mails created since then: a duration, such as 2h, or an RFC 3339 time")
	cmd.Flags().IntVar(&o.most, "limit", 1000, "the largest number of mails")
}

// check validates the filters.
func (o *mailOptions) check(*cobra.Command, []string) error {
	if o.most < 1 {
		return fmt.Errorf("--limit must be 1 or more, not %d", o.most)
	}
	for _, s := range o.statuses {
		status := mail.Status(s)
		if !slices.Contains([]mail.Status{mail.StatusDue, mail.StatusSent, mail.StatusFailed, mail.StatusSuppressed}, status) {
			return fmt.Errorf("--status must be due, sent, failed or suppressed, not %q", s)
		}
		o.filter.Statuses = append(o.filter.Statuses, status)
	}
	o.filter.Since = o.since.Time
	return nil
}

// withMails calls do with the store of mails.
func (o *mailOptions) withMails(cmd *cobra.Command, do func(context.Context, *eventstore.Store) error) error {
	return withDatabase(cmd.Context(), o.data, "orderbell-mail", func(pool *database.Pool) error {
		return do(cmd.Context(), eventstore.New(pool, ""))
	})
}

var errNoMail = errors.New("no mail matches")

func newMailListCommand(o *mailOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List mails with their reasons, the oldest first",
		Long: `List mails with their reasons, the oldest first. Without --status, mails that were sent are left out.

Exit status 1: no mail matches.`,
		Example: `  orderbell mail list
  orderbell mail list --status failed --tenant demo --reason 550 --since 24h
  orderbell mail list --json | jq -r '.[].reason' | sort | uniq -c`,
		Args: noArguments, PreRunE: o.check,
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			return o.withMails(cmd, func(ctx context.Context, store *eventstore.Store) error {
				if o.filter.Statuses == nil {
					o.filter.Statuses = []mail.Status{mail.StatusDue, mail.StatusFailed, mail.StatusSuppressed}
				}
				found, err := store.Mails(ctx, o.filter, o.most)
				if err != nil {
					return err
				}
				return errors.Join(o.printMails(cmd, found), orNone(len(found), errNoMail))
			})
		}),
	}
	o.filters(cmd)
	return cmd
}

func newMailShowCommand(o *mailOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show everything that is known of a mail, or of an event's mails",
		Example: `  orderbell mail show 0193b5a2-1c1e-8c3a-9d55-0a1b2c3d4e5f
  orderbell mail show 0193b5a2-1c1e-7c3a-9d55-0a1b2c3d4e5f --json`,
		Args: oneArgument,
		RunE: work(func(cmd *cobra.Command, args []string) error {
			return o.withMails(cmd, func(ctx context.Context, store *eventstore.Store) error {
				found, err := store.Mails(ctx, mail.Filter{IDs: lowered(args)}, 1000)
				if err != nil {
					return err
				}
				if len(found) == 0 {
					return fmt.Errorf("no mail or event with mails has the id %s: orderbell mail list shows the ids", args[0])
				}
				if o.asJSON {
					return printJSON(cmd.OutOrStdout(), found)
				}
				return printMailDetails(cmd, found)
			})
		}),
	}
}

// retried is the result of mail retry.
type retried struct {
	DryRun  bool         `json:"dry_run"`
	Retried []mail.Entry `json:"retried"` // as they were
	Refused []refusal    `json:"refused"`
}

type refusal struct {
	mail.Entry

	Obstacle string `json:"obstacle"`
}

func newMailRetryCommand(o *mailOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "retry [ID…]",
		Short: "Make mails due again",
		Long: `Make mails due now, with the full number of attempts. The sweeper sends them with its next run, with the same Message-ID. An id is that
of a mail, or of an event for all its mails. --all chooses mails that failed, and mails that were suppressed for an address that has
been removed from the list since; --status chooses others.

The command refuses a mail that was sent, whose address is suppressed, or whose user does not want it.
Exit status 1: no mail matches, a mail was refused, or nothing was changed.`,
		Example: `  orderbell mail retry 0193b5a2-1c1e-8c3a-9d55-0a1b2c3d4e5f
  orderbell mail retry --all --reason 'given up' --since 24h --dry-run
  orderbell mail retry --all --tenant demo`,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.all == (len(args) > 0) {
				return errors.New("give the ids of mails, or --all")
			}
			for _, name := range []string{"tenant", "user", "reason", "status", "since", "limit"} {
				if !o.all && cmd.Flags().Changed(name) {
					return fmt.Errorf("--%s needs --all: leave it out if you give ids", name)
				}
			}
			return nil
		},
		PreRunE: o.check,
		RunE: work(func(cmd *cobra.Command, args []string) error {
			return o.withMails(cmd, func(ctx context.Context, store *eventstore.Store) error {
				return o.retry(ctx, cmd, store, lowered(args))
			})
		}),
	}
	o.filters(cmd)
	cmd.Flags().BoolVar(&o.all, "all", false, "all mails that the other flags choose")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print what would be tried again, and change nothing")
	return cmd
}

func (o *mailOptions) retry(ctx context.Context, cmd *cobra.Command, store *eventstore.Store, ids []string) error {
	if o.all && o.filter.Statuses == nil {
		o.filter.Statuses = []mail.Status{mail.StatusFailed, mail.StatusSuppressed}
	}
	o.filter.IDs = ids
	found, err := store.Mails(ctx, o.filter, o.most)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !slices.ContainsFunc(found, func(e mail.Entry) bool { return e.ID == id || e.EventID == id }) {
			return fmt.Errorf("nothing was changed: no mail or event with mails has the id %s; orderbell mail list shows the ids", id)
		}
	}
	r := retried{DryRun: o.dryRun, Retried: []mail.Entry{}, Refused: []refusal{}}
	var wanted []string
	for _, e := range found {
		obstacle := e.Obstacle()
		switch {
		case obstacle == "":
			r.Retried, wanted = append(r.Retried, e), append(wanted, e.ID)
		case o.all && e.Status == mail.StatusSuppressed && e.Suppression == "":
			// Suppressed on purpose, and not named by its id.
		default:
			r.Refused = append(r.Refused, refusal{e, obstacle})
		}
	}
	if !o.dryRun && len(wanted) > 0 {
		changed, err := store.Retry(ctx, wanted, operator())
		if err != nil {
			return err
		}
		r.Retried = slices.DeleteFunc(r.Retried, func(e mail.Entry) bool {
			missed := !slices.Contains(changed, e.ID)
			if missed {
				r.Refused = append(r.Refused, refusal{e, "it was sent, claimed or suppressed meanwhile"})
			}
			return missed
		})
	}
	switch {
	case len(r.Retried)+len(r.Refused) == 0:
		err = fmt.Errorf("nothing was changed: %w", errNoMail)
	case len(r.Refused) > 0:
		err = fmt.Errorf("%d of %d mails were refused: the reasons are above", len(r.Refused), len(r.Refused)+len(r.Retried))
	}
	return errors.Join(o.printRetried(cmd, r), err)
}

// orNone returns an error if nothing was found.
func orNone(found int, err error) error {
	if found > 0 {
		return nil
	}
	return err
}

// lowered returns ids as the store has them; nil, which chooses all, for none.
func lowered(ids []string) (all []string) {
	for _, id := range ids {
		all = append(all, strings.ToLower(id))
	}
	return all
}
