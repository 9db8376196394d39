package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"orderbell/cmd/orderbell/internal/tail"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

// tailAccount is the service account in orderbell dev that may read every tenant's stream.
const tailAccount = "orderbell-tail"

// known returns the id of the user, who may be given by address. A tenant or a user that the database does not have is an error:
// nothing would ever be shown. Without a database, the gateway decides by the token.
func (o *streamOptions) known(ctx context.Context, who string) (string, error) {
	if o.url == "" {
		if err := adoptDevStack(o.data, "DATABASE_URL"); err != nil {
			return "", err
		}
	}
	if os.Getenv("DATABASE_URL") == "" {
		return who, nil
	}
	return who, withUsers(ctx, o.data, func(store *userstore.Store) error {
		if err := store.HasTenant(ctx, o.tenant); errors.Is(err, user.ErrNoTenant) {
			return noTenant(o.tenant)
		} else if err != nil {
			return err
		}
		if who == tailAccount {
			return nil
		}
		found, err := findUser(ctx, store, o.tenant, who)
		who = found.ID
		return err
	})
}

func newTailCommand() *cobra.Command {
	var o streamOptions
	show := tail.Options{}
	var user, from string
	cmd := &cobra.Command{
		Use:   "tail --tenant TENANT",
		Short: "Show a tenant's orders as they happen",
		Long: `Show a tenant's orders as they happen, one line per event, until Ctrl-C. If the stream is cut, for example by a restart of
the gateway, the command opens it again and continues where it was. The state of the stream goes to the error output.

` + streamWords,
		Example: `  orderbell tail --tenant demo
  orderbell tail --tenant demo --from 0 --count 10 --json    # the ten oldest events that are kept
  orderbell tail --tenant demo --url https://orders.example --token-file token.txt`,
		Args: noArguments,
		PreRunE: func(*cobra.Command, []string) error {
			if show.Most < 0 {
				return fmt.Errorf("--count must be 0 or more, not %d", show.Most)
			}
			return nil
		},
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			origin, err := o.origin()
			if err != nil {
				return err
			}
			tokens, err := o.tokens()
			if err != nil {
				return err
			}
			if user, err = o.known(cmd.Context(), user); err != nil {
				return err
			}
			show.Stream, show.Tenant = o.stream(origin, tokens, user), o.tenant
			show.Stream.LastEventID, show.Stream.Heartbeat = from, tail.Heartbeat
			show.Out, show.Notes = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return tail.Follow(cmd.Context(), show)
		}),
	}
	o.define(cmd)
	require(cmd, "tenant")
	cmd.Flags().StringVar(&user, "user", tailAccount, "the address or the id of a user whose notifications are shown too")
	cmd.Flags().StringVar(&from, "from", "", "start after the event with this id; 0: with the oldest event that is kept")
	cmd.Flags().IntVar(&show.Most, "count", 0, "exit after this number of events; 0: never")
	cmd.Flags().BoolVar(&show.JSON, "json", false, "print events as JSON, one per line")
	return cmd
}
