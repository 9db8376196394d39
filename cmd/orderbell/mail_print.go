package main

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"orderbell/internal/mail"
)

func (o *mailOptions) printMails(cmd *cobra.Command, found []mail.Entry) error {
	if o.asJSON {
		return printJSON(cmd.OutOrStdout(), append([]mail.Entry{}, found...)) // [] and never null
	}
	if len(found) == 0 {
		return nil
	}
	return table(cmd, func(w io.Writer) {
		row(w, "ID", "CREATED", "TENANT", "TO", "EVENT", "STATUS", "ATTEMPTS", "REASON")
		for _, e := range found {
			row(w, e.ID, e.Created.UTC().Format(time.RFC3339), e.TenantID, e.Email, e.EventType, string(e.Status), number(int64(e.Attempts)), reasonOf(e))
		}
		if len(found) == o.most {
			_, _ = fmt.Fprintf(w, "the first %d: --limit shows more\n", o.most)
		}
	})
}

// reasonOf returns the reason. For a suppressed address it includes the server's answer.
func reasonOf(e mail.Entry) string {
	if e.Suppression != "" && e.Suppression != e.Reason {
		return cmp.Or(e.Reason, "due") + ", but the address is suppressed: " + e.Suppression
	}
	return e.Reason
}

func printMailDetails(cmd *cobra.Command, found []mail.Entry) error {
	return table(cmd, func(w io.Writer) {
		for i, e := range found {
			if i > 0 {
				_, _ = fmt.Fprintln(w)
			}
			line := func(name, value string) {
				if value != "" {
					row(w, name, value)
				}
			}
			line("mail", e.ID)
			line("status", string(e.Status))
			line("reason", e.Reason)
			line("address suppressed", e.Suppression)
			line("cannot be retried", e.Obstacle())
			line("attempts", number(int64(e.Attempts)))
			if e.Ambiguous > 0 {
				line("of unknown outcome", number(int64(e.Ambiguous))+": the recipient may have a copy")
			}
			if e.Status == mail.StatusDue {
				line("next attempt", e.Next.UTC().Format(time.RFC3339))
			}
			if !e.Sent.IsZero() {
				line("sent", e.Sent.UTC().Format(time.RFC3339))
			}
			line("created", e.Created.UTC().Format(time.RFC3339))
			line("Message-ID", e.MessageID)
			line("tenant", e.TenantID)
			line("user", e.UserID)
			line("to", e.Email)
			line("event", e.EventID)
			line("event type", e.EventType)
			line("order", e.OrderID)
		}
	})
}

func (o *mailOptions) printRetried(cmd *cobra.Command, r retried) error {
	if o.asJSON {
		return printJSON(cmd.OutOrStdout(), r)
	}
	if len(r.Retried)+len(r.Refused) == 0 {
		return nil
	}
	did := "due again"
	if r.DryRun {
		did = "to be tried again"
	}
	return table(cmd, func(w io.Writer) {
		for _, e := range r.Retried {
			row(w, did, e.ID, e.TenantID, e.Email, e.Reason)
		}
		for _, e := range r.Refused {
			row(w, "refused", e.ID, e.TenantID, e.Email, e.Obstacle)
		}
		_, _ = fmt.Fprintf(w, "%d %s, %d refused\n", len(r.Retried), did, len(r.Refused))
	})
}
