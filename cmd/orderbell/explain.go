package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"orderbell/cmd/orderbell/internal/explain"
	"orderbell/internal/text"
)

func newExplainCommand() *cobra.Command {
	var o explainOptions
	cmd := &cobra.Command{
		Use:   "explain --event ID | --order ID | --reference REFERENCE | --mail ID",
		Short: "Say why a user was notified of an event, or was not",
		Long: `Say why a user was notified of an event, or was not.

A function decides by role and preferences whom to notify, and stores each decision with its reason. Preferences are
checked again before a mail is sent. Without --user the command lists every user with a decision. It names the trace of each
event, which orderbell trace prints.

--order explains all events of an order, --reference those of the newest order with the reference (--tenant narrows it down), and
--mail the event that a mail is about, for the user who gets it.

The command reads the database of DATABASE_URL or, if that is not set, of the orderbell dev that runs on the data directory.`,
		Example: `  orderbell explain --event 0193b5a2-1c1e-7c3a-9d55-0a1b2c3d4e5f
  orderbell explain --event 0193b5a2-1c1e-7c3a-9d55-0a1b2c3d4e5f --user cashier@demo.example
  orderbell explain --reference A-1042 --tenant demo
  orderbell explain --mail 0193b5a2-1c1e-8c3a-9d55-0a1b2c3d4e5f`,
		Args:    noArguments,
		PreRunE: func(*cobra.Command, []string) error { return o.check() },
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			accounts, err := accountsOf(cmd, o)
			if err != nil {
				return err
			}
			if o.asJSON {
				return printJSON(cmd.OutOrStdout(), accounts)
			}
			return printAccounts(cmd.OutOrStdout(), accounts)
		}),
	}
	cmd.Flags().StringVar(&o.eventID, "event", "", "the id of the event")
	cmd.Flags().StringVar(&o.orderID, "order", "", "the id of an order")
	cmd.Flags().StringVar(&o.reference, "reference", "", "the reference of an order")
	cmd.Flags().StringVar(&o.mailID, "mail", "", "the id of a mail, as orderbell mail lists it")
	cmd.Flags().StringVar(&o.tenantID, "tenant", "", "with --reference: the order's tenant")
	cmd.Flags().StringVar(&o.email, "user", "", "only the user with this address or id")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&o.data, "data", defaultData, "data directory of orderbell dev")
	return cmd
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
		if a.TraceID != "" {
			line("  ", "Its trace is %s: orderbell trace %s prints it.", a.TraceID, a.OrderID)
		}
		for _, p := range a.Users {
			who := p.Email
			if who == "" {
				who = "user " + p.UserID + ", who was removed"
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
