// Package verify compares what the stores hold of a window's events: that nothing is lost, and nothing there twice.
//
// It only reads, page by page: its memory is bounded by a page, the ring of one tenant's stream and, where there is a
// Mailpit, the mails of the window. What is younger than the settling time may still be on its way and is left out.
package verify

import (
	"context"
	"fmt"
	"time"

	"orderbell/cmd/orderbell/internal/progress"
	"orderbell/internal/audit"
	"orderbell/internal/feed/message"
)

// Store reads the database. Its pages begin behind after, and say where the next one does; a zero next is the end.
type Store interface {
	Clock(ctx context.Context) (now, firstDay time.Time, err error)
	Sizes(ctx context.Context, w audit.Window) (audit.Sizes, error)
	Orders(ctx context.Context, w audit.Window, after string, limit int) (orders []audit.Order, next string, err error)
	Outbox(ctx context.Context, w audit.Window, after int64, limit int) (rows []audit.Outgoing, next int64, err error)
	Records(ctx context.Context, w audit.Window, after audit.Place, limit int) (records []audit.Record, next audit.Place, err error)
	Orphans(ctx context.Context, w audit.Window, t audit.Table, after string, limit int) (orphans []audit.Orphan, looked int, next string, err error)
	Users(ctx context.Context, ids []string) (present map[string]bool, err error)
	Unrecorded(ctx context.Context, eventIDs []string) (missing map[string]bool, err error)
}

// Feed reads Redis.
type Feed interface {
	Presence(ctx context.Context, events []audit.Key) ([]audit.Presence, error)
	Oldest(ctx context.Context, tenantID string) (message.Position, bool, error)
	Read(ctx context.Context, tenantID string, after message.Position, limit int) ([]message.Published, message.Tail, error)
}

// Options say what to look at.
type Options struct {
	Window    audit.Window  // a zero Until is now
	Settle    time.Duration // how long an event may be on its way
	ReplayTTL time.Duration // how long Redis remembers an event
	FeedSince time.Time     // when Redis last lost something: what came before need not be there
	Most      int           // offenders that are named
}

// Auditor compares the stores. Feed and Mailbox may be nil: then they are not looked at.
type Auditor struct {
	Store    Store
	Feed     Feed
	Mailbox  *Mailbox
	Progress progress.Shower
	Options  Options
}

// The checks.
const (
	checkOrders        = "orders"        // each version of an order has an event
	checkOutbox        = "outbox"        // each event has left, and has one record with its data
	checkRecords       = "records"       // each record is there once, and its order knows the version
	checkNotifications = "notifications" // one for each person whom the record decided to tell, and no others
	checkMails         = "e-mails"       // the same, and each is sent, due, or has a reason
	checkStream        = "stream"        // what Redis must remember is there once
	checkMailbox       = "mailbox"       // each sent e-mail has arrived; again only as often as that was counted
)

// Check is what one comparison found.
type Check struct {
	Name      string `json:"name"`
	Looked    int64  `json:"looked_at"`
	OnTheWay  int64  `json:"on_the_way"` // looked at, but too young to be missed
	Offenders int64  `json:"offenders"`
}

// Offender is something that is lost, or there twice.
type Offender struct {
	Check    string `json:"check"`
	EventID  string `json:"event_id,omitempty"`
	OrderID  string `json:"order_id,omitempty"`
	TenantID string `json:"tenant_id,omitempty"`
	UserID   string `json:"user_id,omitempty"`
	Problem  string `json:"problem"`
}

// Mails counts the window's e-mails by their state.
type Mails struct {
	Sent       int64 `json:"sent"`
	Due        int64 `json:"due"`
	Deferred   int64 `json:"deferred"` // due, but not before the quiet hours of their person end
	Failed     int64 `json:"failed"`
	Suppressed int64 `json:"suppressed"`
	Ambiguous  int64 `json:"ambiguous"` // attempts whose outcome is unknown
	Again      int64 `json:"again"`     // copies in the mailbox beyond the first
}

// Report is what was found.
type Report struct {
	Since     time.Time  `json:"since"`
	Until     time.Time  `json:"until"`
	TenantID  string     `json:"tenant_id,omitempty"`
	Notes     []string   `json:"notes"`
	Checks    []Check    `json:"checks"`
	Mails     Mails      `json:"e_mails"`
	Total     int64      `json:"offenders_in_all"`
	Offenders []Offender `json:"offenders"` // the first of them
}

// run is one audit under way.
type run struct {
	*Auditor

	w       audit.Window
	now     time.Time // of the database
	began   time.Time // on this machine, when it was now there
	report  Report
	checks  map[string]*Check
	box     inbox
	tenants map[string]bool // whose streams are looked at
}

// pageSize is some 1 MB of rows.
const pageSize = 1000

// Run compares everything. Its error is that a store could not be read.
func (a *Auditor) Run(ctx context.Context) (Report, error) {
	r := &run{Auditor: a, checks: map[string]*Check{}, tenants: map[string]bool{}}
	if err := r.open(ctx); err != nil {
		return r.report, err
	}
	sizes, err := a.Store.Sizes(ctx, r.w)
	if err != nil {
		return r.report, err
	}
	for _, part := range []struct {
		name string
		rows int64
		do   func(ctx context.Context, step func(int64)) error
	}{
		{"mailbox", -1, r.mailbox}, // before the rows, which then know of all that is in it
		{"orders", sizes.Orders, r.orders},
		{"outbox", sizes.Outgoing, r.outbox},
		{"event records", sizes.Records, r.records},
		{"notifications", sizes.Notifications, func(ctx context.Context, step func(int64)) error {
			return r.orphans(ctx, audit.Notifications, checkNotifications, step)
		}},
		{"e-mails", sizes.Mails, func(ctx context.Context, step func(int64)) error {
			return r.orphans(ctx, audit.Mails, checkMails, step)
		}},
		{"streams", -1, r.streams},
	} {
		step, end := a.Progress.Begin(part.name, part.rows)
		err := part.do(ctx, step)
		end()
		if err != nil {
			return r.report, err
		}
	}
	return r.close(), nil
}

// open fits the window to what can be known.
func (r *run) open(ctx context.Context) error {
	now, firstDay, err := r.Store.Clock(ctx)
	if err != nil {
		return err
	}
	r.now, r.began, r.w = now, time.Now(), r.Options.Window
	if settled := now.Add(-r.Options.Settle); r.w.Until.IsZero() || r.w.Until.After(settled) {
		r.w.Until = settled
	}
	if !firstDay.IsZero() && r.w.Since.Before(firstDay) {
		r.w.Since = firstDay
		r.note("events before %s are forgotten", firstDay.Format(time.DateOnly))
	}
	if !r.w.Since.Before(r.w.Until) {
		return fmt.Errorf("nothing lies between %s and %s", r.w.Since.Format(time.RFC3339), r.w.Until.Format(time.RFC3339))
	}
	if r.Feed == nil {
		r.note("Redis is not looked at")
	}
	if r.Mailbox == nil {
		r.note("no mailbox is looked at (MAILPIT_URL)")
	}
	r.report.Since, r.report.Until, r.report.TenantID = r.w.Since.UTC(), r.w.Until.UTC(), r.w.TenantID
	r.report.Offenders = []Offender{}
	return nil
}

func (r *run) note(format string, args ...any) {
	r.report.Notes = append(r.report.Notes, fmt.Sprintf(format, args...))
}

// close puts the checks in the order of an event's way.
func (r *run) close() Report {
	names := []string{checkOrders, checkOutbox, checkRecords, checkNotifications, checkMails}
	if r.Feed != nil {
		names = append(names, checkStream)
	}
	if r.Mailbox != nil {
		names = append(names, checkMailbox)
	}
	for _, name := range names {
		c := *r.check(name)
		r.report.Checks = append(r.report.Checks, c)
		r.report.Total += c.Offenders
	}
	return r.report
}

func (r *run) check(name string) *Check {
	c, ok := r.checks[name]
	if !ok {
		c = &Check{Name: name}
		r.checks[name] = c
	}
	return c
}

// clock is the database's time now.
func (r *run) clock() time.Time { return r.now.Add(time.Since(r.began)) }

// settled says whether what happened at t has had the time to go on.
func (r *run) settled(t time.Time) bool { return t.Before(r.clock().Add(-r.Options.Settle)) }

// offend counts o, and names it if few were before it.
func (r *run) offend(check string, o Offender, format string, args ...any) {
	r.check(check).Offenders++
	if len(r.report.Offenders) < r.Options.Most {
		o.Check, o.Problem = check, fmt.Sprintf(format, args...)
		r.report.Offenders = append(r.report.Offenders, o)
	}
}
