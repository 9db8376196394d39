package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"orderbell/cmd/orderbell/internal/tail"
)

func newTailCommand() *cobra.Command {
	var o streamOptions
	show := tail.Options{}
	var user, from string
	cmd := &cobra.Command{
		Use:   "tail --tenant TENANT",
		Short: "Show a tenant's orders as they happen",
		Long: `Show a tenant's orders as they happen, a line an event, until Ctrl-C. The stream is opened again when it is cut, as by a
restart of the gateway, and goes on where it was; what becomes of it is told on the error output.

` + streamWords,
		Example: `  orderbell tail --tenant demo
  orderbell tail --tenant demo --from 0 --count 10 --json    # the first ten that are kept
  orderbell tail --tenant demo --url https://orders.example --token-file token.txt`,
		Args: cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			if show.Most < 0 {
				return fmt.Errorf("--count is %d, want 0 or more", show.Most)
			}
			return o.check()
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
			show.Stream, show.Tenant = o.stream(origin, tokens, user), o.tenant
			show.Stream.LastEventID = from
			show.Out, show.Notes = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return tail.Follow(cmd.Context(), show)
		}),
	}
	o.define(cmd)
	cmd.Flags().StringVar(&user, "user", "orderbell-tail", "the user's id, whose notifications are shown too")
	cmd.Flags().StringVar(&from, "from", "", "begin behind this event's id; 0 is the beginning of what is kept")
	cmd.Flags().IntVar(&show.Most, "count", 0, "end after so many events; 0 is never")
	cmd.Flags().BoolVar(&show.JSON, "json", false, "show events as JSON, one a line")
	return cmd
}
