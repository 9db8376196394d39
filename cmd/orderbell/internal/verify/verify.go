// Package verify compares what the stores hold of the events in a time window. It finds events that are lost or
// duplicated.
//
// It only reads, page by page. Its memory is bounded by a page, the ring of one tenant's stream and, with a Mailpit,
// the mails of the window. Events younger than the settling time may still be on their way and are left out. A slow
// store is read in smaller pages. If a store is down, the checks that need it are skipped and named in the report.
package verify

import (
	"context"
	"fmt"
	"time"

	"orderbell/cmd/orderbell/internal/progress"
	"orderbell/internal/audit"
	"orderbell/internal/feed/message"
)

// Store reads the database. A page begins after the given row and returns the start of the next page, zero at the end.
type Store interface {
	HasTenant(ctx context.Context, id string) (bool, error)
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

// Options choose what is checked.
type Options struct {
	Window    audit.Window  // a zero Until is now
	Settle    time.Duration // the time that an event may take
	ReplayTTL time.Duration // how long Redis remembers an event
	FeedSince time.Time     // when Redis last lost data; earlier events are not expected in it
	Most      int           // the number of offenders that are named
}

// Auditor compares the stores. Feed and Mailbox may be nil; then their checks are skipped.
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
	checkOutbox        = "outbox"        // each event was sent, and has one record with its data
	checkRecords       = "records"       // each record exists once, and its order has reached the version
	checkNotifications = "notifications" // one for each user that the record decided to notify, and no others
	checkMails         = "e-mails"       // the same, and each is sent, due, or has a reason
	checkStream        = "stream"        // each event that Redis must have exists once
	checkMailbox       = "mailbox"       // each sent mail has arrived; extra copies at most as often as counted
)

// Check is what one comparison found.
type Check struct {
	Name      string `json:"name"`
	Looked    int64  `json:"looked_at"`
	OnTheWay  int64  `json:"on_the_way"` // checked, but too recent to be missing
	Offenders int64  `json:"offenders"`
	Skipped   string `json:"skipped,omitempty"` // why the check did not run, or not to its end; "" if it did
}

// Offender is a lost or duplicated event, notification or mail.
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
	Deferred   int64 `json:"deferred"` // due, but not before the quiet hours of their user end
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
	Skipped   int        `json:"checks_skipped"`
	Offenders []Offender `json:"offenders"` // the first of them
}

// run is the state of one audit.
type run struct {
	*Auditor

	w       audit.Window
	now     time.Time // of the database
	began   time.Time // on this machine, when it was now there
	report  Report
	checks  map[string]*Check
	box     inbox
	tenants map[string]bool // whose streams are checked
	limit   int             // rows of a page of the database
	keys    int             // events per query of Redis
}

// Run compares everything. If a store cannot be read, the report marks its checks as skipped. Run returns an error if
// there is nothing to report: an unknown tenant, an empty window, or the end of ctx.
func (a *Auditor) Run(ctx context.Context) (Report, error) {
	r := &run{Auditor: a, checks: map[string]*Check{}, tenants: map[string]bool{}, limit: pageSize, keys: keysAtOnce}
	if err := r.open(ctx); err != nil {
		return r.report, err
	}
	var sizes audit.Sizes
	if r.now.IsZero() {
		return r.close(), nil // without the database there is nothing to compare
	}
	if err := r.again(ctx, nil, func() (err error) { sizes, err = a.Store.Sizes(ctx, r.w); return err }); err != nil {
		sizes = audit.Sizes{Orders: -1, Outgoing: -1, Records: -1, Notifications: -1, Mails: -1} // only the progress bar needs them
	}
	for _, part := range []struct {
		name  string
		check string
		rows  int64
		do    func(ctx context.Context, step func(int64)) error
	}{
		{"mailbox", checkMailbox, -1, r.mailbox}, // before the rows, which then include everything in it
		{"orders", checkOrders, sizes.Orders, r.orders},
		{"outbox", checkOutbox, sizes.Outgoing, r.outbox},
		{"event records", checkRecords, sizes.Records, r.records},
		{"notifications", checkNotifications, sizes.Notifications, func(ctx context.Context, step func(int64)) error {
			return r.orphans(ctx, audit.Notifications, checkNotifications, step)
		}},
		{"e-mails", checkMails, sizes.Mails, func(ctx context.Context, step func(int64)) error {
			return r.orphans(ctx, audit.Mails, checkMails, step)
		}},
		{"streams", checkStream, -1, r.streams},
	} {
		step, end := a.Progress.Begin(part.name, part.rows)
		err := part.do(ctx, step)
		end()
		if ctx.Err() != nil {
			return r.report, fmt.Errorf("verify: %w", context.Cause(ctx))
		}
		if err != nil {
			r.skip(part.check, err)
		}
	}
	if why := r.check(checkRecords).Skipped; why != "" { // each starts from the records
		for _, check := range []string{checkNotifications, checkMails, checkStream, checkMailbox} {
			r.check(check).Skipped = why
		}
	}
	return r.close(), nil
}

// skip records that a check did not run, or not to its end. The first reason is kept.
func (r *run) skip(check string, err error) {
	if c := r.check(check); c.Skipped == "" {
		c.Skipped = err.Error()
	}
}

// open limits the window to the period for which data exist.
func (r *run) open(ctx context.Context) error {
	r.report.Offenders, r.report.Notes = []Offender{}, []string{}
	var now, firstDay time.Time
	known := true
	err := r.again(ctx, nil, func() (err error) {
		if now, firstDay, err = r.Store.Clock(ctx); err == nil && r.Options.Window.TenantID != "" {
			known, err = r.Store.HasTenant(ctx, r.Options.Window.TenantID)
		}
		return err
	})
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("verify: %w", context.Cause(ctx))
	case err != nil:
		for _, check := range r.names() {
			r.skip(check, fmt.Errorf("database: %w", err))
		}
		r.w = r.Options.Window
		if r.w.Until.IsZero() {
			r.w.Until = time.Now().Add(-r.Options.Settle)
		}
		r.report.Since, r.report.Until, r.report.TenantID = r.w.Since.UTC(), r.w.Until.UTC(), r.w.TenantID
		return nil
	case !known:
		return fmt.Errorf("there is no tenant %q: `orderbell tenant list` names all", r.Options.Window.TenantID)
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
		return fmt.Errorf("there is no time between --since %s and --until %s", r.w.Since.Format(time.RFC3339), r.w.Until.Format(time.RFC3339))
	}
	if r.Feed == nil {
		r.note("Redis is not looked at")
	}
	if r.Mailbox == nil {
		r.note("no mailbox is looked at (MAILPIT_URL)")
	}
	r.report.Since, r.report.Until, r.report.TenantID = r.w.Since.UTC(), r.w.Until.UTC(), r.w.TenantID
	return nil
}

func (r *run) note(format string, args ...any) {
	r.report.Notes = append(r.report.Notes, fmt.Sprintf(format, args...))
}

// names returns the requested checks, in the order of the event path.
func (r *run) names() []string {
	names := []string{checkOrders, checkOutbox, checkRecords, checkNotifications, checkMails}
	if r.Feed != nil {
		names = append(names, checkStream)
	}
	if r.Mailbox != nil {
		names = append(names, checkMailbox)
	}
	return names
}

func (r *run) close() Report {
	for _, name := range r.names() {
		c := *r.check(name)
		r.report.Checks = append(r.report.Checks, c)
		r.report.Total += c.Offenders
		if c.Skipped != "" {
			r.report.Skipped++
		}
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

// settled reports whether t is longer ago than the settling time.
func (r *run) settled(t time.Time) bool { return t.Before(r.clock().Add(-r.Options.Settle)) }

// offend counts o, and adds it to the report while there is room.
func (r *run) offend(check string, o Offender, format string, args ...any) {
	r.check(check).Offenders++
	if len(r.report.Offenders) < r.Options.Most {
		o.Check, o.Problem = check, fmt.Sprintf(format, args...)
		r.report.Offenders = append(r.report.Offenders, o)
	}
}
