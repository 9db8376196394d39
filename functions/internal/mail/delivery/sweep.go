package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// outcome is the result of a claim.
type outcome string

const (
	sent       outcome = "sent"
	retry      outcome = "retry"
	held       outcome = "held" // the sender or the server is at fault
	failed     outcome = "failed"
	suppressed outcome = "suppressed" // the user or the address no longer gets such mails
	deferred   outcome = "deferred"   // during the user's quiet hours
	ambiguous  outcome = "ambiguous"  // in addition to another outcome: the server may have accepted the mail
	abandoned  outcome = "abandoned"  // in addition to another outcome: the previous attempt was never marked
)

// Tally has the counts of a sweep.
type Tally struct {
	Waiting, Sent, Retried, Held, Failed, Suppressed, Deferred int
	Ambiguous                                                  int // attempts with an unknown result
}

// tallying is a tally that several lines add to.
type tallying struct {
	mu    sync.Mutex
	tally Tally
}

func (t *tallying) add(o outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch o {
	case sent:
		t.tally.Sent++
	case retry:
		t.tally.Retried++
	case held:
		t.tally.Held++
	case failed:
		t.tally.Failed++
	case suppressed:
		t.tally.Suppressed++
	case deferred:
		t.tally.Deferred++
	case ambiguous, abandoned:
		t.tally.Ambiguous++
	}
}

func (t *tallying) now() Tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tally
}

// Sweep sends due mails over up to workers lines, round-robin by tenant. It stops claiming at stopAt and returns when
// the last mail is done or ctx ends; mails in flight then continue. An error means that the store or the server cannot
// be reached.
func (c *Courier) Sweep(ctx context.Context, workers int, stopAt time.Time) (Tally, error) {
	waiting, since, err := c.store.Waiting(ctx)
	if err != nil {
		return Tally{}, err
	}
	tally := &tallying{tally: Tally{Waiting: waiting}}
	c.meters.due.Record(ctx, int64(waiting))
	age := 0.0
	if waiting > 0 {
		age = time.Since(since).Seconds()
	}
	c.meters.age.Record(ctx, age)
	c.server.newSweep()
	errs := make(chan error, workers)
	started := min(workers, waiting)
	if c.server.unreachable() {
		started = max(started, 1) // at least one line, which notices a repaired server even if other processes have sent all mails
	}
	for range started {
		go func() { errs <- c.sweepLine(ctx, stopAt, tally) }()
	}
	for range started {
		select {
		case one := <-errs:
			err = errors.Join(err, one)
		case <-ctx.Done():
			return tally.now(), err
		}
	}
	return tally.now(), err
}

func (c *Courier) sweepLine(ctx context.Context, stopAt time.Time, tally *tallying) error {
	line, err := c.post.Line(ctx)
	if err != nil {
		return err
	}
	result := make(chan error, 1)
	done := c.goWith(ctx, line, func(ctx context.Context) {
		for state := goOn; state != stop && !c.draining.Load() && time.Now().Before(stopAt); state = c.turn(ctx, line, tally) {
			if err := c.open(ctx, line); err != nil { // no claims while the server is down
				result <- &serverError{err}
				return
			}
		}
	})
	<-done
	select {
	case err := <-result:
		return err
	default:
		return nil
	}
}

// serverError says that the SMTP server is down. It is always temporary.
type serverError struct{ err error }

func (e *serverError) Error() string { return "e-mail stays due: " + e.err.Error() }

func (e *serverError) Unwrap() error { return e.err }

func (e *serverError) Temporary() bool { return true }

// meters are the courier's metrics.
type meters struct {
	mails, ambiguous metric.Int64Counter
	due, blocked     metric.Int64Gauge
	age              metric.Float64Gauge
}

func (m *meters) init(meter metric.Meter) error {
	var errs [5]error
	m.mails, errs[0] = meter.Int64Counter("orderbell.mail",
		metric.WithDescription("Claims of due mails: sent, retry, held, failed, suppressed or deferred. Labels: outcome."))
	m.ambiguous, errs[1] = meter.Int64Counter("orderbell.mail.ambiguous",
		metric.WithDescription("Attempts that the SMTP server may have taken without an answer: each may be a duplicate mail. Labels: outcome."))
	m.due, errs[2] = meter.Int64Gauge("orderbell.mail.due", metric.WithDescription("Mails that were due at the last sweep."))
	m.age, errs[3] = meter.Float64Gauge("orderbell.mail.due.age", metric.WithUnit("s"),
		metric.WithDescription("How long the oldest due mail had been due at the last sweep."))
	m.blocked, errs[4] = meter.Int64Gauge("orderbell.mail.blocked",
		metric.WithDescription("1 while the SMTP server rejects every mail, else 0."))
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("set up metrics: %w", err)
	}
	return nil
}

func (c *Courier) count(ctx context.Context, tally *tallying, o outcome) {
	if tally != nil {
		tally.add(o)
	}
	reason := metric.WithAttributes(attribute.String("outcome", string(o)))
	if o == ambiguous || o == abandoned {
		c.meters.ambiguous.Add(ctx, 1, reason)
		return
	}
	c.meters.mails.Add(ctx, 1, reason)
}
