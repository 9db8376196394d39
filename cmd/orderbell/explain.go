package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"orderbell/cmd/orderbell/internal/auditstore"
	"orderbell/cmd/orderbell/internal/explain"
	"orderbell/internal/store/database"
	"orderbell/internal/text"
)

func newExplainCommand() *cobra.Command {
	var eventID, email, data string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain --event ID [--user ADDRESS|ID]",
		Short: "Say why a user was notified of an event, or was not",
		Long: `Say why a user was notified of an event, or was not.

A function decides by role and preferences whom to notify, and stores each decision with its reason. Preferences are
checked again before a mail is sent. Without --user the command lists every user with a decision.

The command reads the database of DATABASE_URL or, if that is not set, of the orderbell dev that runs on the data directory.`,
		Example: `  orderbell explain --event 0193b5a2-1c1e-7c3a-9d55-0a1b2c3d4e5f
  orderbell explain --event 0193b5a2-1c1e-7c3a-9d55-0a1b2c3d4e5f --user cashier@demo.example`,
		Args: cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			if _, err := uuid.Parse(eventID); err != nil {
				return fmt.Errorf("--event is %q, want the id of an event, such as 0193b5a2-1c1e-7c3a-9d55-0a1b2c3d4e5f", eventID)
			}
			return nil
		},
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			accounts, err := accountsOf(cmd, data, eventID, email)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), accounts)
			}
			return printAccounts(cmd.OutOrStdout(), accounts)
		}),
	}
	cmd.Flags().StringVar(&eventID, "event", "", "the id of the event")
	cmd.Flags().StringVar(&email, "user", "", "only the user with this address or id")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&data, "data", defaultData, "data directory of orderbell dev")
	return cmd
}

func accountsOf(cmd *cobra.Command, data, eventID, email string) (found []explain.Account, err error) {
	err = withDatabase(cmd.Context(), data, "orderbell-explain", func(pool *database.Pool) error {
		found, err = explain.Event(cmd.Context(), auditstore.New(pool), eventID, email)
		return err
	})
	return found, err
}

// printAccounts writes paragraphs. Untrusted text cannot control the terminal.
func printAccounts(out io.Writer, accounts []explain.Account) error {
	var b strings.Builder
	line := func(indent, format string, args ...any) {
		b.WriteString(indent + text.Terminal(fmt.Sprintf(format, args...)) + "\n")
	}
	for i, a := range accounts {
		if i > 0 {
			line("", "")
		}
		line("", "%s %s of order %s, tenant %s, from %s", a.Type, a.EventID, a.OrderID, a.TenantID, a.Source)
		for _, said := range a.Way {
			line("  ", "%s", said)
		}
		for _, p := range a.Users {
			who := p.Email
			if who == "" {
				who = "user " + p.UserID + ", who is gone"
			} else {
				who += " (" + strings.Join(p.Roles, ", ") + ")"
			}
			line("", "")
			line("", "%s", who)
			line("  ", "inbox   %s", p.InApp)
			line("  ", "e-mail  %s", p.Mail)
		}
		switch {
		case a.Untold == 1:
			line("", "")
			line("", "1 more user of the tenant, about whom nothing was decided: --user says why.")
		case a.Untold > 1:
			line("", "")
			line("", "%d more users of the tenant, about whom nothing was decided: --user says why.", a.Untold)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}
