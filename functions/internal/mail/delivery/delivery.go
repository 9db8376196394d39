// Package delivery sends due mails from the store to the SMTP server. Each attempt holds an exclusive claim.
//
// Delivery is at least once. A mail is sent twice only if the result of an attempt is unknown: the connection broke
// between the message and the server's answer, or the process died between that answer and the mark. Both are counted,
// in the row and in the metric orderbell.mail.ambiguous. A claim uses an attempt, so the courier connects to the server
// before it claims a mail.
//
// Only faults of the recipient use up attempts. If the server rejects mails for any recipient, the mails stay due, each
// sweep tests the server with a few of them, and log, metric and readiness detail report it (trouble.go).
//
// The end of a request does not cancel its mails in flight, because that would leave their result unknown. They
// continue after the answer, their lease is renewed, and [Courier.Drain] waits for them: a few seconds until the server
// has the message, and then until it answers.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"orderbell/internal/backoff"
	"orderbell/internal/mail"
	"orderbell/internal/text"
	"orderbell/internal/tracing"
)

// Config has the time limits and retries of delivery.
type Config struct {
	// TryLimit is how long an event waits for its own mails before it is answered. After it, the event claims no more
	// mails.
	TryLimit    time.Duration `envconfig:"EMAIL_TRY_LIMIT" default:"1s"`
	MaxAttempts int           `envconfig:"EMAIL_MAX_ATTEMPTS" default:"12"` // with the delays below, about six hours
	RetryBase   time.Duration `envconfig:"EMAIL_RETRY_BASE" default:"30s"`  // doubled with each attempt
	RetryMax    time.Duration `envconfig:"EMAIL_RETRY_MAX" default:"1h"`

	Lines          int   `ignored:"true"` // how many mails of this process may be in flight at once
	MailsPerHour   int64 `ignored:"true"` // for a tenant without its own limit: the default of package user
	MaxInvitations int64 `ignored:"true"` // likewise for confirmation mails per day
}

const (
	// lease is short, so that a killed process delays its mail only a little. A live process renews it, so that no
	// other process sends the mail while the server is slow.
	lease = 3 * time.Minute
	// renewal is the interval of renewals. It leaves time to repeat a failed one.
	renewal = lease / 3
	// heldMax is the longest pause of a held mail, so that it is sent soon after the repair.
	heldMax = 10 * time.Minute
	// maxReason bounds the stored text of a server's answer, in bytes.
	maxReason = 500
)

// Store keeps the due mails.
type Store interface {
	ClaimOfEvent(ctx context.Context, source, eventID string, terms mail.Terms) (mail.Due, bool, error)
	ClaimOfTenant(ctx context.Context, tenantID string, terms mail.Terms) (mail.Due, bool, error)
	DueTenants(ctx context.Context, terms mail.Terms) ([]string, error)
	Mark(ctx context.Context, d mail.Due, m mail.Mark) (held bool, err error)
	Renew(ctx context.Context, d mail.Due, lease time.Duration) (held bool, err error)
	Waiting(ctx context.Context) (n int, since time.Time, err error)
}

// Post hands out connections to the SMTP server.
type Post interface {
	TryLine() (mail.Line, bool)
	Line(ctx context.Context) (mail.Line, error)
}

// Writer renders a mail.
type Writer interface {
	Write(d mail.Due) (mail.Mail, error)
}

// Courier is safe for concurrent use.
type Courier struct {
	cfg     Config
	store   Store
	post    Post
	writer  Writer
	log     *slog.Logger
	meters  meters
	server  trouble
	turns   *turns
	sending sync.WaitGroup // goroutines that hold a line

	missed   atomic.Bool     // an event found no free line: the next free line sends its mails
	draining atomic.Bool     // events under way try one mail each, and nothing else is claimed
	halted   context.Context //nolint:containedctx // of the whole courier: its end stops mails that the server does not have yet
	halt     context.CancelFunc
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
	c.halted, c.halt = context.WithCancel(context.Background())
	c.turns = newTurns(store, c.terms(), cfg.Lines)
	return c, c.meters.init(meter)
}

func (c *Courier) terms() mail.Terms {
	return mail.Terms{Lease: lease, MailsPerHour: c.cfg.MailsPerHour, MaxInvitations: c.cfg.MaxInvitations}
}

// goWith runs work with its own line, and the functions of then once the line is free. The end of ctx does not stop them.
// The returned channel is closed at the end.
func (c *Courier) goWith(ctx context.Context, line mail.Line, work func(context.Context), then ...func(context.Context)) <-chan struct{} {
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(c.halted, cancel)
	c.sending.Go(func() {
		defer close(done)
		defer cancel()
		defer stop()
		defer func() {
			line.Close()
			for _, f := range then {
				f(ctx)
			}
		}()
		defer func() {
			if v := recover(); v != nil { // the claim's lease brings its mail back
				c.log.ErrorContext(ctx, "mail delivery panicked", "panic", v, "stack", string(debug.Stack()))
			}
		}()
		work(ctx)
	})
	return done
}

// unfinished is how long a drain waits for mails that the server does not have yet. Then they are stopped, and stay due.
const unfinished = 8 * time.Second

// Drain waits until no mail is under way, or until ctx ends. It waits for the answer to a complete message for as long as
// RFC 5321 §4.5.3.2.6 allows: an interrupted mail is due again when its lease expires, and the recipient may get two
// copies. The caller must not start further mails.
func (c *Courier) Drain(ctx context.Context) {
	c.draining.Store(true)
	done := make(chan struct{})
	go func() {
		c.sending.Wait()
		close(done)
	}()
	late := time.AfterFunc(unfinished, c.halt)
	defer late.Stop()
	select {
	case <-done:
	case <-ctx.Done():
		c.halt()
	}
}

// progress says how a loop of claims continues.
type progress int

const (
	goOn   progress = iota // there may be more
	broken                 // the connection broke: open a new one before the next claim
	stop                   // nothing is due, the store fails, or the server rejects all mails
)

// next claims one e-mail, sends it and marks it.
func (c *Courier) next(ctx context.Context, line mail.Line, claim func(context.Context) (mail.Due, bool, error), tally *tallying) progress {
	due, ok, err := claim(ctx)
	if err != nil {
		c.log.WarnContext(ctx, "no mail claimed", "err", err)
		return stop
	}
	if !ok {
		return stop
	}
	if due.Abandoned {
		c.count(ctx, tally, abandoned)
		c.log.WarnContext(ctx, "mail was never marked, it may have been sent", "delivery_id", due.ID, "attempt", due.Attempt-1)
	}
	if due.OptedOut {
		c.count(ctx, tally, suppressed)
		return goOn
	}
	if due.Deferred {
		c.count(ctx, tally, deferred)
		return goOn
	}
	ctx, span := begin(ctx, due)
	defer span.End()
	err = c.send(ctx, line, due)
	m, outcome := c.judge(due, err)
	if span.IsRecording() {
		span.SetAttributes(tracing.AttrOutcome.String(string(outcome)))
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
	}
	c.logFailure(ctx, due, outcome, err)
	c.count(ctx, tally, outcome)
	if m.Ambiguous {
		c.count(ctx, tally, ambiguous)
	}
	c.mark(ctx, due, m)
	if ctx.Err() != nil {
		return stop // the server is not to blame
	}
	c.report(ctx, err, false)
	var failure *mail.SendError
	switch {
	case c.server.down():
		return stop
	case errors.As(err, &failure) && failure.Code == 0 && failure.Fate != mail.Refused:
		return broken
	}
	return goOn
}

// begin starts the span of an attempt in the trace of the order's change. During a sweep the span has a link to the sweep's trace.
func begin(ctx context.Context, due mail.Due) (context.Context, trace.Span) {
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)}
	if now := trace.SpanContextFromContext(ctx); now.IsSampled() && now.TraceID().String() != tracing.ID(due.Trace.TraceParent) {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: now}))
	}
	ctx, span := tracing.Start(tracing.With(ctx, due.Trace), tracing.SpanMail, options...)
	if span.IsRecording() {
		span.SetAttributes(tracing.AttrMailID.String(due.ID), tracing.AttrTenant.String(due.TenantID), tracing.AttrMessagingID.String(due.EventID),
			tracing.AttrEventType.String(string(due.Type)))
	}
	return ctx, span
}

// logFailure logs a mail that was not sent. For held mails, [Courier.report] logs one line for all.
func (c *Courier) logFailure(ctx context.Context, due mail.Due, o outcome, err error) {
	if err == nil {
		return
	}
	level := slog.LevelWarn
	if o == held {
		level = slog.LevelDebug
	}
	c.log.Log(ctx, level, "mail not sent", "delivery_id", due.ID, "event_id", due.EventID, "attempt", due.Attempt,
		"outcome", string(o), "err", err)
}

// errGivenUp is the error of a mail whose attempts were all abandoned.
var errGivenUp = errors.New("no attempt before this one came to an end")

// send renders and sends due, and renews its claim meanwhile. A lost claim cancels it until the message is complete.
func (c *Courier) send(ctx context.Context, line mail.Line, due mail.Due) error {
	if due.Attempt-due.Held > c.cfg.MaxAttempts {
		return errGivenUp
	}
	written, err := c.writer.Write(due)
	if err != nil {
		return err
	}
	sending, lost := context.WithCancel(ctx)
	defer lost()
	renewing, end := context.WithCancel(context.WithoutCancel(ctx)) // the wait for an answer outlasts ctx
	defer end()
	go c.renew(renewing, lost, due)
	return line.Send(sending, written)
}

// renew keeps the claim until ctx ends, and ends it when the claim is lost.
func (c *Courier) renew(ctx context.Context, lost context.CancelFunc, due mail.Due) {
	ticker := time.NewTicker(renewal)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		ours, err := c.store.Renew(ctx, due, lease)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			c.log.WarnContext(ctx, "claim of a mail not renewed", "delivery_id", due.ID, "err", err)
		case !ours:
			lost()
			return
		}
	}
}

// judge converts the result of an attempt into its mark.
func (c *Courier) judge(due mail.Due, err error) (mail.Mark, outcome) {
	if err == nil {
		return mail.Mark{Status: mail.StatusSent}, sent
	}
	counted := due.Attempt - due.Held
	m := mail.Mark{Status: mail.StatusDue, Reason: text.ClipBytes(err.Error(), maxReason), RetryAfter: c.delay(counted)}
	var failure *mail.SendError
	if errors.As(err, &failure) {
		m.Reason, m.Ambiguous = text.ClipBytes(failure.Err.Error(), maxReason), failure.Fate == mail.Unknown
		switch failure.Fate {
		case mail.Refused:
			m.Status, m.NoMailbox = mail.StatusFailed, failure.NoMailbox
			return m, failed
		case mail.Held:
			m.Held, m.RetryAfter = true, min(c.delay(due.Held+1), heldMax)
			return m, held
		case mail.Deferred, mail.Unknown:
		}
	}
	if counted >= c.cfg.MaxAttempts {
		m.Status, m.Reason = mail.StatusFailed, text.ClipBytes(fmt.Sprintf("given up after %d attempts: %s", c.cfg.MaxAttempts, m.Reason), maxReason)
		return m, failed
	}
	return m, retry
}

// delay doubles with each attempt, up to RetryMax, with jitter so that the mails of an outage are not all retried at
// once.
func (c *Courier) delay(attempt int) time.Duration {
	return backoff.Jitter(backoff.After(attempt, c.cfg.RetryBase, c.cfg.RetryMax))
}

// mark writes the mark, with retries for as long as a lease lasts: a lost mark would send the mail twice.
func (c *Courier) mark(ctx context.Context, due mail.Due, m mail.Mark) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lease)
	defer cancel()
	again := backoff.New(50*time.Millisecond, 5*time.Second)
	for {
		held, err := c.store.Mark(ctx, due, m)
		if err == nil {
			if !held { // its lease ran out, or the answer to an earlier try was lost
				c.log.WarnContext(ctx, "mail is no longer this attempt's", "delivery_id", due.ID, "attempt", due.Attempt,
					"status", string(m.Status))
			}
			return
		}
		c.log.WarnContext(ctx, "mail not marked", "delivery_id", due.ID, "status", string(m.Status), "err", err)
		if !again.Wait(ctx) {
			return
		}
	}
}
