package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/internal/user"
)

func newDeadLetterCloseCommand(o *deadLetterOptions) *cobra.Command {
	var because string
	cmd := &cobra.Command{
		Use:   "close ID… --because TEXT",
		Short: "Record that dead letters will not be sent again",
		Long: `Record that dead letters will not be sent again, by whom and why: for events that can never be applied. The letters stay on
the topic; list --open and redrive --all leave them out. redrive still sends a closed letter if you give its id.`,
		Example: "  orderbell deadletter close 3-42 --because 'a test event of the till'",
		Args:    someArguments,
		PreRunE: func(*cobra.Command, []string) error {
			if strings.TrimSpace(because) == "" {
				return errors.New("--because is missing: say why the dead letters will not be sent again")
			}
			return nil
		},
		RunE: work(func(cmd *cobra.Command, args []string) error {
			return o.withOffice(cmd, func(ctx context.Context, office *deadletter.Office) error {
				closed, err := office.Close(ctx, deadletter.Choice{IDs: args}, operator(), because)
				err = errors.Join(err, o.database.record(ctx, cmd.ErrOrStderr(), "deadletter.closed", user.Done, closed))
				if err != nil {
					return err
				}
				if len(closed) == 0 {
					return errors.New("nothing changed: the dead letters are already closed or redriven")
				}
				if o.asJSON {
					return printJSON(cmd.OutOrStdout(), closed)
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d closed\n", len(closed))
				return err
			})
		}),
	}
	cmd.Flags().StringVar(&because, "because", "", "why they will not be sent again")
	return cmd
}
