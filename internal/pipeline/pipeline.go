// Package pipeline is what a function does with an event: check its age and source, apply it exactly once, publish it to the
// tenant's watchers, try its mails.
//
// The order is the guarantee. An event is applied before it is published, so that no watcher sees an event that could be
// lost. It is published on every delivery, including repeated ones: the feed knows what it has published, so the redelivery
// repairs a crash between the two. Mails come last and block nothing: an unsent mail stays due for the sweeper.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"orderbell/internal/event"
	"orderbell/internal/feed/message"
	"orderbell/internal/user"
)

// Config says how long events are remembered.
type Config struct {
	// RetentionDays is how many days of event_records are kept. An older event is refused: it could run twice.
	RetentionDays int `envconfig:"EVENT_RECORDS_RETENTION_DAYS" default:"45"`
}

// Store takes an event in once.
type Store interface {
	Apply(ctx context.Context, e event.Event, audience user.Audience) (event.Receipt, error)
	// SourceAllowed says whether events of the source may be about the tenant.
	SourceAllowed(ctx context.Context, source, tenantID string) (bool, error)
}

// Feed tells a tenant's watchers. Publishing the same event again does nothing.
type Feed interface {
	Publish(ctx context.Context, tenantID string, m message.Message) error
}

// Mail tries an event's due e-mails once, within a short time, and keeps its failures to itself.
type Mail interface {
	TryEvent(ctx context.Context, source, eventID string)
}

// Audience returns who is told of an event of type t, in the inbox and by e-mail, as far as a user's preferences
// allow. Everybody sees the order list change.
func Audience(t event.Type) user.Audience {
	switch t {
	case event.OrderPaid:
		return user.Audience{Roles: user.Sellers()}
	case event.OrderCreated, event.OrderStatusUpdated:
		return user.Audience{Roles: user.Workers(), OnRequest: true}
	}
	return user.Audience{}
}

// Pipeline is safe for concurrent use.
type Pipeline struct {
	cfg    Config
	store  Store
	feed   Feed
	mail   Mail // nil where no event is mailed
	log    *slog.Logger
	events metric.Int64Counter
	step   metric.Float64Histogram
}

// New returns a pipeline. Mail may be nil.
func New(cfg Config, store Store, feed Feed, mail Mail, log *slog.Logger, meter metric.Meter) (*Pipeline, error) {
	if cfg.RetentionDays < 1 {
		return nil, fmt.Errorf("EVENT_RECORDS_RETENTION_DAYS is %d, want 1 or more", cfg.RetentionDays)
	}
	events, err := meter.Int64Counter("orderbell.events",
		metric.WithDescription("Deliveries of events: applied, duplicate, invalid, conflict or failed. Labels: type, outcome."))
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	step, err := meter.Float64Histogram("orderbell.event.step.duration", metric.WithUnit("s"),
		metric.WithDescription("The steps of an event: apply, publish, mail. Labels: step."),
		metric.WithExplicitBucketBoundaries(.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5))
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	return &Pipeline{cfg: cfg, store: store, feed: feed, mail: mail, log: log, events: events, step: step}, nil
}

// Handle does all of it. Its error is an *[event.InvalidError], or one of the store's or the feed's.
func (p *Pipeline) Handle(ctx context.Context, e event.Event) error {
	outcome, err := p.handle(ctx, e)
	p.events.Add(context.WithoutCancel(ctx), 1, metric.WithAttributes(
		attribute.String("type", string(e.Type)), attribute.String("outcome", string(outcome))))
	return err
}

// Outcomes of an event that was not taken in, for the metric.
const (
	invalid  event.Outcome = "invalid"
	conflict event.Outcome = "conflict"
	failed   event.Outcome = "failed"
)

func (p *Pipeline) handle(ctx context.Context, e event.Event) (event.Outcome, error) {
	began := time.Now()
	if err := e.CheckAge(began, p.cfg.RetentionDays); err != nil {
		return invalid, err
	}
	if allowed, err := p.store.SourceAllowed(ctx, e.Source, e.Data.TenantID); err != nil {
		return failed, err
	} else if !allowed {
		return invalid, event.ForeignSource(e.Source, e.Data.TenantID)
	}
	audience := Audience(e.Type)
	if e.Data.Undone != "" {
		audience = user.Audience{} // it takes back what was just told: the list shows it, and no notification follows another
	}
	receipt, err := p.store.Apply(ctx, e, audience)
	p.timeStep(ctx, "apply", began)
	switch {
	case errors.Is(err, event.ErrPayloadConflict):
		return conflict, err
	case err != nil:
		return failed, err
	}
	began = time.Now()
	m, err := message.New(e, receipt.Recipients)
	if err != nil {
		return failed, err // cannot happen: the data was parsed
	}
	m.Again = receipt.Outcome == event.Duplicate
	err = p.feed.Publish(ctx, e.Data.TenantID, m)
	p.timeStep(ctx, "publish", began)
	if err != nil {
		return failed, &publishError{err}
	}
	p.log.DebugContext(ctx, "event taken", "event_id", e.ID, "outcome", string(receipt.Outcome), "order_id", e.Data.OrderID,
		"version", e.Data.Version, "recipients", len(receipt.Recipients), "due_mails", receipt.DueMails)
	if p.mail != nil && receipt.DueMails > 0 {
		began = time.Now()
		p.mail.TryEvent(ctx, e.Source, e.ID)
		p.timeStep(ctx, "mail", began)
	}
	return receipt.Outcome, nil
}

func (p *Pipeline) timeStep(ctx context.Context, name string, began time.Time) {
	p.step.Record(context.WithoutCancel(ctx), time.Since(began).Seconds(), metric.WithAttributes(attribute.String("step", name)))
}

// publishError is always worth another try: the event is valid and taken in, so only the feed can be wrong.
type publishError struct{ err error }

func (e *publishError) Error() string { return "publish event: " + e.err.Error() }

func (e *publishError) Unwrap() error { return e.err }

func (e *publishError) Temporary() bool { return true }
