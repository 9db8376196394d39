// Package delivery brings due e-mails from the store to the SMTP server, each attempt under a claim that nobody else
// holds.
//
// The promise is at least once. An e-mail goes out twice only if its fate could not be known: the line dropped between
// the message and the server's answer, or the process died between that answer and the mark. Both are counted, in the
// row and in the metric orderbell.mail.ambiguous. A claim costs an attempt, so the server is reached before anything
// is claimed: an outage, however long, uses up no attempts.
//
// A letter on its way is never cut short by the request that started it, since that would leave its fate unknown: it
// goes on behind the answer, bounded by the claim's lease, and [Courier.Drain] waits for it.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"

	"orderbell/internal/mail"
)

// Config says how patient delivery is.
type Config struct {
	// TryLimit is how long an event waits for its own e-mails before it is answered.
	TryLimit    time.Duration `envconfig:"EMAIL_TRY_LIMIT" default:"1s"`
	MaxAttempts int           `envconfig:"EMAIL_MAX_ATTEMPTS" default:"12"` // with the delays below, some six hours
	RetryBase   time.Duration `envconfig:"EMAIL_RETRY_BASE" default:"30s"`  // doubled with each attempt
	RetryMax    time.Duration `envconfig:"EMAIL_RETRY_MAX" default:"1h"`
}

const (
	// lease is longer than any letter takes, and short enough that a killed process delays its letter little.
	lease = 3 * time.Minute
	// markTime is what remains of a lease, when sending must be over, for the mark.
	markTime = 30 * time.Second
	// maxReason keeps a server's essay out of the row.
	maxReason = 500
)

// Store has the due e-mails.
type Store interface {
	ClaimOfEvent(ctx context.Context, source, eventID string, lease time.Duration) (mail.Due, bool, error)
	Claim(ctx context.Context, lease time.Duration) (mail.Due, bool, error)
	Mark(ctx context.Context, d mail.Due, m mail.Mark) (held bool, err error)
	Waiting(ctx context.Context) (n int, since time.Time, err error)
}

// Post has the lines to the SMTP server.
type Post interface {
	TryLine() (mail.Line, bool)
	Line(ctx context.Context) (mail.Line, error)
}

// Writer renders a letter.
type Writer interface {
	Write(d mail.Due) (mail.Mail, error)
}

// Courier is safe for concurrent use.
type Courier struct {
	cfg    Config
	store  Store
	post   Post
	writer Writer
	log    *slog.Logger
	meters meters
	behind sync.WaitGroup // goroutines that have a line
}

// New returns a courier.
func New(cfg Config, store Store, post Post, writer Writer, log *slog.Logger, meter metric.Meter) (*Courier, error) {
	if cfg.MaxAttempts < 1 {
		return nil, fmt.Errorf("EMAIL_MAX_ATTEMPTS is %d, want 1 or more", cfg.MaxAttempts)
	}
	if cfg.RetryBase <= 0 || cfg.RetryMax < cfg.RetryBase {
		return nil, errors.New("EMAIL_RETRY_BASE must be more than 0 and EMAIL_RETRY_MAX not below it")
	}
	c := &Courier{cfg: cfg, store: store, post: post, writer: writer, log: log}
	return c, c.meters.init(meter)
}

// TryEvent tries the due e-mails of one event once, if a line is free and the server has not just failed. It waits no
// longer than TryLimit; letters on their way then go on behind. Whatever fails stays due.
func (c *Courier) TryEvent(ctx context.Context, source, eventID string) {
	line, ok := c.post.TryLine()
	if !ok {
		return
	}
	claim := func(ctx context.Context) (mail.Due, bool, error) {
		return c.store.ClaimOfEvent(ctx, source, eventID, lease)
	}
	done := c.goWith(ctx, line, func(ctx context.Context) {
		if err := line.Open(ctx); err != nil {
			c.log.WarnContext(ctx, "smtp server out of reach, e-mail stays due", "event_id", eventID, "err", err)
			return
		}
		for c.next(ctx, line, claim, nil) == goOn {
		}
	})
	limit := time.NewTimer(c.cfg.TryLimit)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
	case <-ctx.Done():
	}
}

// goWith runs work with a line of its own, beyond the end of ctx. The returned channel is closed at its end.
func (c *Courier) goWith(ctx context.Context, line mail.Line, work func(context.Context)) <-chan struct{} {
	done := make(chan struct{})
	ctx = context.WithoutCancel(ctx)
	c.behind.Go(func() {
		defer close(done)
		defer line.Close()
		defer func() {
			if v := recover(); v != nil { // the claim's lease brings its letter back
				c.log.ErrorContext(ctx, "mail delivery panicked", "panic", v, "stack", string(debug.Stack()))
			}
		}()
		work(ctx)
	})
	return done
}

// Drain waits until no letter is on its way, or ctx ends; what is cut off then comes back when its lease has run out.
// Nothing may be started any more.
func (c *Courier) Drain(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		c.behind.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// progress says how a loop of claims goes on.
type progress int

const (
	goOn    progress = iota // there may be more
	trouble                 // the line broke, the next letter may fare no better
	stop                    // nothing is due, or the store fails
)

// next claims one e-mail, sends it and marks it.
func (c *Courier) next(ctx context.Context, line mail.Line, claim func(context.Context) (mail.Due, bool, error), tally *tallying) progress {
	began := time.Now()
	due, ok, err := claim(ctx)
	if err != nil {
		c.log.WarnContext(ctx, "no e-mail claimed", "err", err)
		return stop
	}
	if !ok {
		return stop
	}
	if due.Abandoned {
		c.count(ctx, tally, abandoned)
		c.log.WarnContext(ctx, "e-mail was never marked, it may have been sent", "delivery_id", due.ID, "attempt", due.Attempt-1)
	}
	if due.OptedOut {
		c.count(ctx, tally, suppressed)
		return goOn
	}
	if due.Deferred {
		c.count(ctx, tally, deferred)
		return goOn
	}
	ctx, cancel := context.WithDeadline(ctx, began.Add(lease))
	defer cancel()
	err = c.send(ctx, began, line, due)
	m, outcome := c.judge(due, err)
	if err != nil {
		c.log.WarnContext(ctx, "e-mail not sent", "delivery_id", due.ID, "event_id", due.EventID, "attempt", due.Attempt,
			"outcome", string(outcome), "err", err)
	}
	c.count(ctx, tally, outcome)
	if m.Ambiguous {
		c.count(ctx, tally, ambiguous)
	}
	c.mark(ctx, due, m)
	var failure *mail.SendError
	if errors.As(err, &failure) && failure.Code == 0 && failure.Fate != mail.Refused {
		return trouble
	}
	return goOn
}

// errGivenUp is an e-mail whose attempts were all abandoned.
var errGivenUp = errors.New("no attempt before this one came to an end")

func (c *Courier) send(ctx context.Context, began time.Time, line mail.Line, due mail.Due) error {
	if due.Attempt > c.cfg.MaxAttempts {
		return errGivenUp
	}
	written, err := c.writer.Write(due)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithDeadline(ctx, began.Add(lease-markTime))
	defer cancel()
	return line.Send(ctx, written)
}

// judge turns what came of an attempt into its mark.
func (c *Courier) judge(due mail.Due, err error) (mail.Mark, outcome) {
	if err == nil {
		return mail.Mark{Status: mail.StatusSent}, sent
	}
	m := mail.Mark{Status: mail.StatusDue, Reason: clip(err.Error()), RetryAfter: c.delay(due.Attempt)}
	var failure *mail.SendError
	if errors.As(err, &failure) {
		m.Reason, m.Ambiguous = clip(failure.Err.Error()), failure.Fate == mail.Unknown
		if failure.Fate == mail.Refused {
			m.Status = mail.StatusFailed
			return m, failed
		}
	}
	if due.Attempt >= c.cfg.MaxAttempts {
		m.Status, m.Reason = mail.StatusFailed, clip(fmt.Sprintf("given up after %d attempts: %s", c.cfg.MaxAttempts, m.Reason))
		return m, failed
	}
	return m, retry
}

// delay is exponential; half of it is chance, so that the letters of an outage do not come back as one crowd.
func (c *Courier) delay(attempt int) time.Duration {
	d := c.cfg.RetryBase
	for range attempt - 1 {
		if d *= 2; d >= c.cfg.RetryMax {
			d = c.cfg.RetryMax
			break
		}
	}
	return d/2 + rand.N(d/2+1) // chance that spreads load and guards nothing
}

// mark tells the store, as long as the lease lasts: a lost mark of a sent letter is a letter sent twice.
func (c *Courier) mark(ctx context.Context, due mail.Due, m mail.Mark) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		held, err := c.store.Mark(ctx, due, m)
		if err == nil {
			if !held { // its lease ran out, or the answer to an earlier try was lost
				c.log.WarnContext(ctx, "e-mail is no longer this attempt's", "delivery_id", due.ID, "attempt", due.Attempt,
					"status", string(m.Status))
			}
			return
		}
		c.log.WarnContext(ctx, "e-mail not marked", "delivery_id", due.ID, "status", string(m.Status), "err", err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

func clip(s string) string {
	if len(s) > maxReason {
		return s[:maxReason] + "…"
	}
	return s
}
