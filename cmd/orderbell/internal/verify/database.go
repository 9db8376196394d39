package verify

import (
	"context"
	"slices"
	"time"

	"orderbell/internal/audit"
	"orderbell/internal/event"
	"orderbell/internal/user"
)

// orders finds versions of orders without an event. An outbox row that was removed has been sent, so its event must
// have a record.
func (r *run) orders(ctx context.Context, step func(int64)) error {
	c := r.check(checkOrders)
	for after := ""; ; {
		var page []audit.Order
		var next string
		if err := r.database(ctx, func(limit int) (err error) {
			page, next, err = r.Store.Orders(ctx, r.w, after, limit)
			return err
		}); err != nil {
			return err
		}
		for _, o := range page {
			from, to := o.Owed(r.w)
			c.Looked += max(to-from+1, 0)
			for _, version := range o.Missing(r.w) {
				r.offend(checkOrders, Offender{OrderID: o.ID, TenantID: o.TenantID},
					"version %d has neither a record nor a row in the outbox", version)
			}
		}
		step(int64(r.limit))
		if after = next; next == "" {
			return nil
		}
	}
}

// outbox finds events that were not sent, or were sent and not applied unchanged.
func (r *run) outbox(ctx context.Context, step func(int64)) error {
	c := r.check(checkOutbox)
	for after := int64(0); ; {
		var page []audit.Outgoing
		var next int64
		if err := r.database(ctx, func(limit int) (err error) {
			page, next, err = r.Store.Outbox(ctx, r.w, after, limit)
			return err
		}); err != nil {
			return err
		}
		for _, row := range page {
			c.Looked++
			o := Offender{EventID: row.EventID, OrderID: row.OrderID, TenantID: row.TenantID}
			switch {
			case row.SentAt.IsZero():
				r.offend(checkOutbox, o, "not sent since %s", stamp(row.OccurredAt))
			case row.Records == 0 && !r.settled(row.SentAt):
				c.OnTheWay++
			case row.Records == 0:
				r.offend(checkOutbox, o, "sent at %s, but there is no record of it", stamp(row.SentAt))
			case row.Same == 0:
				r.offend(checkOutbox, o, "its record has other data")
			}
		}
		step(int64(r.limit))
		if after = next; next == 0 {
			return nil
		}
	}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// records checks each record with its notifications and mails.
func (r *run) records(ctx context.Context, step func(int64)) error {
	for after := (audit.Place{}); ; {
		var page []audit.Record
		var next audit.Place
		if err := r.database(ctx, func(limit int) (err error) {
			page, next, err = r.Store.Records(ctx, r.w, after, limit)
			return err
		}); err != nil {
			return err
		}
		for _, rec := range page {
			r.record(rec)
		}
		if err := r.users(ctx, page); err != nil {
			return err
		}
		r.presence(ctx, page)
		step(int64(r.limit))
		if after = next; next == (audit.Place{}) {
			return nil
		}
	}
}

func of(rec audit.Record) Offender {
	return Offender{EventID: rec.EventID, OrderID: rec.OrderID, TenantID: rec.TenantID}
}

func (r *run) record(rec audit.Record) {
	r.check(checkRecords).Looked++
	for _, d := range rec.Decisions {
		if (d.Outcome == user.Suppressed || d.Outcome == user.Deferred) && d.Reason == "" {
			o := of(rec)
			o.UserID = d.UserID
			r.offend(checkRecords, o, "%s is %s without a reason", d.Channel, d.Outcome)
		}
	}
	if rec.Copies > 1 {
		r.offend(checkRecords, of(rec), "recorded %d times", rec.Copies)
	}
	if rec.Source != event.Source {
		return // the order belongs to another order service
	}
	switch {
	case rec.OrderVersion == nil:
		r.offend(checkRecords, of(rec), "its order is not there")
	case *rec.OrderVersion < rec.Version:
		r.offend(checkRecords, of(rec), "it is version %d, but its order is at %d", rec.Version, *rec.OrderVersion)
	}
}

// absence is a user who lacks a notification or mail that was decided.
type absence struct {
	check string
	what  string
	o     Offender
}

// users compares the notifications and e-mails of a page with what the records decided.
func (r *run) users(ctx context.Context, page []audit.Record) error {
	var missing []absence
	for _, rec := range page {
		mailed := make([]string, len(rec.Mails))
		for i, m := range rec.Mails {
			mailed[i] = m.UserID
		}
		missing = append(missing, r.told(rec, checkNotifications, "notification", decided(rec, user.InApp), rec.Notified)...)
		missing = append(missing, r.told(rec, checkMails, "e-mail", decided(rec, user.Email), mailed)...)
		for _, m := range rec.Mails {
			r.mail(rec, m)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	ids := make([]string, len(missing))
	for i, m := range missing {
		ids[i] = m.o.UserID
	}
	var present map[string]bool
	if err := r.database(ctx, func(int) (err error) { present, err = r.Store.Users(ctx, ids); return err }); err != nil {
		return err
	}
	for _, m := range missing {
		if present[m.o.UserID] { // a removed user's rows are removed too
			r.offend(m.check, m.o, "the %s that was decided is not there", m.what)
		}
	}
	return nil
}

// decided returns the users that the record decided to notify by the channel, now or later.
func decided(rec audit.Record, c user.Channel) (users []string) {
	for _, d := range rec.Decisions {
		if d.Channel == c && d.Outcome != user.Suppressed {
			users = append(users, d.UserID)
		}
	}
	return users
}

// told compares the expected users with the actual ones, and returns those that are missing.
func (r *run) told(rec audit.Record, check, what string, should, has []string) (missing []absence) {
	r.check(check).Looked += int64(len(should))
	for _, id := range should {
		if !slices.Contains(has, id) {
			o := of(rec)
			o.UserID = id
			missing = append(missing, absence{check, what, o})
		}
	}
	for i, id := range has {
		o := of(rec)
		o.UserID = id
		switch {
		case !slices.Contains(should, id):
			r.offend(check, o, "there is a %s that was not decided", what)
		case slices.Contains(has[:i], id):
			r.offend(check, o, "there are two: %s", what)
		}
	}
	return missing
}

// mail checks the state of one mail, and the mailbox.
func (r *run) mail(rec audit.Record, m audit.Mail) {
	o := of(rec)
	o.UserID = m.UserID
	r.report.Mails.Ambiguous += int64(m.Ambiguous)
	switch m.Status {
	case "sent":
		r.report.Mails.Sent++
		if m.SentAt.IsZero() {
			r.offend(checkMails, o, "the mail is sent, but has no time of sending")
		}
	case "due":
		if m.Reason == user.ByQuietHours {
			r.report.Mails.Deferred++
		} else {
			r.report.Mails.Due++
		}
		r.check(checkMails).OnTheWay++
	case "failed":
		r.report.Mails.Failed++
	case "suppressed":
		r.report.Mails.Suppressed++
	}
	if (m.Status == "failed" || m.Status == "suppressed") && m.Reason == "" {
		r.offend(checkMails, o, "the e-mail is %s without a reason", m.Status)
	}
	r.arrived(o, m)
}

// orphans finds rows of events that were never applied.
func (r *run) orphans(ctx context.Context, t audit.Table, check string, step func(int64)) error {
	for after := ""; ; {
		var orphans []audit.Orphan
		var looked int
		var next string
		if err := r.database(ctx, func(limit int) (err error) {
			orphans, looked, next, err = r.Store.Orphans(ctx, r.w, t, after, limit)
			return err
		}); err != nil {
			return err
		}
		for _, o := range orphans {
			r.offend(check, Offender{EventID: o.EventID, OrderID: o.OrderID, TenantID: o.TenantID, UserID: o.UserID},
				"there is no record of its event")
		}
		step(int64(looked))
		if after = next; next == "" {
			return nil
		}
	}
}
