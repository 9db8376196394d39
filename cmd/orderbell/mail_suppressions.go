package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderbell/internal/address"
	"orderbell/internal/mail"
	"orderbell/internal/store/eventstore"
)

func newSuppressionsCommand(o *mailOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "suppressions",
		Short: "List addresses that get no mail, and take them off the list",
		Long: `List addresses that get no mail, and take them off the list. An address is suppressed when a mail server says that it does not
exist (5.1.1). The list is one for all tenants.`,
		Example: `  orderbell mail suppressions list
  orderbell mail suppressions remove ana@shop.example`,
		Args: noArguments,
		RunE: missingSubcommand,
	}
	cmd.AddCommand(newSuppressionsListCommand(o), newSuppressionsRemoveCommand(o))
	return cmd
}

func newSuppressionsListCommand(o *mailOptions) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "list [ADDRESS…]",
		Short: "List suppressed addresses with their reasons, the oldest first",
		Long: `List suppressed addresses with their reasons, the oldest first.

Exit status 1: no address matches.`,
		Example: `  orderbell mail suppressions list
  orderbell mail suppressions list --reason 'user unknown' --json`,
		RunE: work(func(cmd *cobra.Command, args []string) error {
			return o.withMails(cmd, func(ctx context.Context, store *eventstore.Store) error {
				found, err := store.Suppressions(ctx, mailboxes(args), reason)
				if err != nil {
					return err
				}
				if o.asJSON {
					err = printJSON(cmd.OutOrStdout(), append([]mail.Suppression{}, found...))
				} else if len(found) > 0 {
					err = table(cmd, func(w io.Writer) {
						row(w, "ADDRESS", "SINCE", "USERS", "MAIL", "REASON")
						for _, s := range found {
							row(w, s.Address, s.Since.UTC().Format(time.RFC3339), number(int64(s.Users)), s.MailID, s.Reason)
						}
					})
				}
				return errors.Join(err, orNone(len(found), errors.New("no suppressed address matches")))
			})
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "only addresses whose reason contains this text; case does not matter")
	return cmd
}

func newSuppressionsRemoveCommand(o *mailOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove ADDRESS…",
		Short: "Take addresses off the list, so that they get mail again",
		Long: `Take addresses off the list, so that new events make mails to them. Earlier mails do not change: orderbell mail retry
makes them due.

Exit status 1: an address is not on the list. Then nothing is changed.`,
		Example: `  orderbell mail suppressions remove ana@shop.example && orderbell mail retry --all --user ana@shop.example`,
		Args:    someArguments,
		RunE: work(func(cmd *cobra.Command, args []string) error {
			return o.withMails(cmd, func(ctx context.Context, store *eventstore.Store) error {
				return o.unsuppress(ctx, cmd.OutOrStdout(), store, mailboxes(args))
			})
		}),
	}
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print what would be removed, and change nothing")
	return cmd
}

// mailboxes returns addresses as the list has them; nil, which chooses all, for none.
func mailboxes(addresses []string) (all []string) {
	for _, a := range addresses {
		all = append(all, strings.ToLower(address.Canonical(a)))
	}
	return all
}

func (o *mailOptions) unsuppress(ctx context.Context, out io.Writer, store *eventstore.Store, addresses []string) error {
	found, err := store.Suppressions(ctx, addresses, "")
	if err != nil {
		return err
	}
	var missing, listed []string
	for _, a := range addresses {
		if slices.ContainsFunc(found, func(s mail.Suppression) bool { return s.Address == a }) {
			listed = append(listed, a)
		} else {
			missing = append(missing, a)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("nothing was changed: these addresses are not suppressed: %s", strings.Join(missing, ", "))
	}
	if !o.dryRun {
		if listed, err = store.Unsuppress(ctx, listed, operator()); err != nil {
			return err
		}
	}
	if o.asJSON {
		return printJSON(out, map[string]any{"dry_run": o.dryRun, "removed": append([]string{}, listed...)})
	}
	did := "removed"
	if o.dryRun {
		did = "to be removed"
	}
	for _, a := range listed {
		_, err = fmt.Fprintf(out, "%s %s\n", did, a)
	}
	return err
}
