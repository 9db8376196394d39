package delivery

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"orderbell/internal/mail"
)

const (
	// heldLimit is the number of held mails in a row after which the server counts as rejecting all mails. A single
	// mail may be held for a reason of its own.
	heldLimit = 3
	// pause is how long events do not try a server that rejects all mails.
	pause = 10 * time.Second
)

// trouble records that the server rejects all mails. The zero value is no trouble.
type trouble struct {
	mu      sync.Mutex
	held    int       // mails in a row
	since   time.Time // zero: there is no trouble
	reason  string
	retryAt time.Time // of events
	away    bool      // the last failure was that no connection could be opened
}

// note records the result of a mail or, if opening is true, of a connection. It returns whether trouble began or ended.
func (t *trouble) note(err error, opening bool, now time.Time) (began, ended bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var failure *mail.SendError
	if err == nil {
		ended = !t.since.IsZero()
		t.held, t.since, t.reason, t.away = 0, time.Time{}, "", false
		return false, ended
	}
	if !errors.As(err, &failure) || failure.Fate != mail.Held {
		return false, false // the failure concerns one mail only
	}
	if t.held++; t.held < heldLimit && !failure.Sender {
		return false, false
	}
	began = t.since.IsZero()
	if began {
		t.since = now
	}
	t.held, t.reason, t.retryAt, t.away = max(t.held, heldLimit), failure.Err.Error(), now.Add(pause), opening
	return began, false
}

// newSweep lets a sweep test the server with a few mails.
func (t *trouble) newSweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held = 0
}

// unreachable reports whether the trouble is that no connection could be opened. A new connection ends it.
func (t *trouble) unreachable() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.away
}

// down reports whether the server has just rejected so many mails that a further try is useless.
func (t *trouble) down() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.held >= heldLimit
}

// mayTry reports whether an event may try its mails.
func (t *trouble) mayTry(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since.IsZero() {
		return true
	}
	if now.Before(t.retryAt) {
		return false
	}
	t.held, t.retryAt = heldLimit-1, now.Add(pause) // one mail tests the server for all
	return true
}

// report records the result of a mail or, if opening is true, of a connection. It logs one line when trouble begins and one when it
// ends.
func (c *Courier) report(ctx context.Context, err error, opening bool) {
	switch began, ended := c.server.note(err, opening, time.Now()); {
	case began:
		c.log.Log(ctx, slog.LevelError, "the SMTP server takes no mail of ours, mails stay due", "err", err)
		c.meters.blocked.Record(ctx, 1)
	case ended:
		c.log.InfoContext(ctx, "the SMTP server takes mail again")
		c.meters.blocked.Record(ctx, 0)
	}
}

// open opens a connection and reports the result, unless a drain stopped it. A new connection ends only the trouble that no
// connection could be opened: the next mail shows whether the server accepts mails.
func (c *Courier) open(ctx context.Context, line mail.Line) error {
	err := line.Open(ctx)
	if ctx.Err() == nil && (err != nil || c.server.unreachable()) {
		c.report(ctx, err, true)
	}
	return err
}

// Trouble says since when and why the SMTP server rejects all mails; "" while it accepts them. It is a detail of
// readiness, not a condition: events are applied without mail too.
func (c *Courier) Trouble() string {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if c.server.since.IsZero() {
		return ""
	}
	return "no mail is taken since " + c.server.since.UTC().Format(time.RFC3339) + ": " + c.server.reason
}
