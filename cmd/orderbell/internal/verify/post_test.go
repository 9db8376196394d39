package verify_test

import (
	"time"

	"orderbell/internal/mail"
)

// post sends all due e-mails; each goes to the mailbox copies times, all but one of which were ambiguous.
func (w *world) post(copies int) {
	w.t.Helper()
	terms := mail.Terms{Lease: time.Minute, MailsPerHour: 1000}
	for {
		tenants, err := w.events.DueTenants(w.t.Context(), terms)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(tenants) == 0 {
			return
		}
		due, ok, err := w.events.ClaimOfTenant(w.t.Context(), tenants[0], terms)
		if err != nil || !ok {
			w.t.Fatalf("nothing claimed: %v", err)
		}
		if due.OptedOut || due.Deferred {
			continue
		}
		mark := mail.Mark{Status: mail.StatusSent}
		if copies > 1 {
			copies--
			mark = mail.Mark{Status: mail.StatusDue, Ambiguous: true}
		}
		w.box.take(due.MessageID)
		if held, err := w.events.Mark(w.t.Context(), due, mark); err != nil || !held {
			w.t.Fatal(held, err)
		}
	}
}
