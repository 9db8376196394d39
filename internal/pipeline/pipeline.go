// Package pipeline handles an event in a function: it checks age and source, applies the event exactly once, publishes
// it to the tenant's streams, and tries its mails.
//
// The guarantees depend on this order. An event is applied before it is published, so that no client sees an event that
// could be lost. It is published on every delivery, including repeated ones: the feed ignores duplicates, so a
// redelivery repairs a crash between the two steps. Mails are last and block nothing: an unsent mail stays due for the
// sweeper.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"orderbell/internal/event"
	"orderbell/internal/feed/message"
	"orderbell/internal/tracing"
	"orderbell/internal/user"
)

// Config has the retention of events.
type Config struct {
	// RetentionDays is how many days of event_records are kept. An older event is refused, because it could be applied
	// twice.
	RetentionDays int `envconfig:"EVENT_RECORDS_RETENTION_DAYS" default:"45"`
}

// Store applies events.
type Store interface {
	Apply(ctx context.Context, e event.Event, audience user.Audience) (event.Receipt, error)
	// SourceAllowed reports whether events of the source may be about the tenant.
	SourceAllowed(ctx context.Context, source, tenantID string) (bool, error)
}

// Feed publishes to a tenant's streams. Publishing the same event again does nothing.
type Feed interface {
	Publish(ctx context.Context, tenantID string, m message.Message) error
}

// Mail tries an event's due mails once, within a short time. It handles its own errors.
type Mail interface {
	TryEvent(ctx context.Context, tenantID, source, eventID string)
}

// Audience returns the roles that are notified of an event of type t, subject to the users' preferences. Every user's
// order list changes in any case.
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
	mail   Mail // nil if no event is mailed
	log    *slog.Logger
	events metric.Int64Counter
	step   metric.Float64Histogram

	started time.Time // of this program
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
	return &Pipeline{cfg: cfg, store: store, feed: feed, mail: mail, log: log, events: events, step: step, started: time.Now()}, nil
}

// Handle handles an event. Its error is an *[event.InvalidError], or one of the store or the feed.
func (p *Pipeline) Handle(ctx context.Context, e event.Event) error {
	outcome, err := p.handle(ctx, e)
	p.events.Add(context.WithoutCancel(ctx), 1, metric.WithAttributes(
		attribute.String("type", string(e.Type)), attribute.String("outcome", string(outcome))))
	return err
}

// Outcomes of events that were not applied, for the metric.
const (
	invalid  event.Outcome = "invalid"
	conflict event.Outcome = "conflict"
	failed   event.Outcome = "failed"
)

func (p *Pipeline) handle(ctx context.Context, e event.Event) (event.Outcome, error) {
	began := time.Now()
	about(ctx, e)
	if parent := tracing.Of(ctx); parent.TraceParent != "" {
		e.TraceParent, e.TraceState = parent.TraceParent, parent.TraceState // of the delivery under way, for the record and for mails
	}
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
		audience = user.Audience{} // an undo has no notification; the list shows it
	}
	receipt, err := p.apply(ctx, e, audience)
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
	m.Cold = e.Time.Before(p.started)
	err = p.publish(ctx, e.Data.TenantID, m)
	p.timeStep(ctx, "publish", began)
	if err != nil {
		return failed, &publishError{err}
	}
	p.log.DebugContext(ctx, "event taken", "event_id", e.ID, "outcome", string(receipt.Outcome), "order_id", e.Data.OrderID,
		"version", e.Data.Version, "recipients", len(receipt.Recipients), "due_mails", receipt.DueMails)
	if p.mail != nil && receipt.DueMails > 0 {
		began = time.Now()
		p.mail.TryEvent(ctx, e.Data.TenantID, e.Source, e.ID)
		p.timeStep(ctx, "mail", began)
	}
	return receipt.Outcome, nil
}

// about adds attributes of the event to the span of the delivery.
func about(ctx context.Context, e event.Event) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(
			tracing.AttrMessagingSystem.String("kafka"), tracing.AttrMessagingOperation.String("process"), tracing.AttrMessagingID.String(e.ID),
			tracing.AttrTenant.String(e.Data.TenantID), tracing.AttrOrder.String(e.Data.OrderID), tracing.AttrEventType.String(string(e.Type)))
	}
}

func (p *Pipeline) apply(ctx context.Context, e event.Event, audience user.Audience) (event.Receipt, error) {
	ctx, span := tracing.Start(ctx, tracing.SpanApply)
	receipt, err := p.store.Apply(ctx, e, audience)
	if span.IsRecording() {
		span.SetAttributes(tracing.AttrOutcome.String(string(receipt.Outcome)))
	}
	tracing.End(span, err)
	return receipt, err //nolint:wrapcheck // the store's
}

// publish publishes the message with the trace of its own span, which the gateways continue.
func (p *Pipeline) publish(ctx context.Context, tenantID string, m message.Message) error {
	ctx, span := tracing.Start(ctx, tracing.SpanPublish, trace.WithSpanKind(trace.SpanKindProducer))
	if parent := tracing.Of(ctx); parent.TraceParent != "" {
		m.TraceParent, m.TraceState = parent.TraceParent, parent.TraceState
	}
	if span.IsRecording() {
		span.SetAttributes(tracing.AttrMessagingSystem.String("redis"), tracing.AttrMessagingOperation.String("publish"),
			tracing.AttrMessagingID.String(m.ID), tracing.AttrCold.Bool(m.Cold))
	}
	err := p.feed.Publish(ctx, tenantID, m)
	tracing.End(span, err)
	return err //nolint:wrapcheck // the feed's
}

func (p *Pipeline) timeStep(ctx context.Context, name string, began time.Time) {
	p.step.Record(context.WithoutCancel(ctx), time.Since(began).Seconds(), metric.WithAttributes(attribute.String("step", name)))
}

// publishError is always temporary: the event is valid and applied, so only the feed can be at fault.
type publishError struct{ err error }

func (e *publishError) Error() string { return "publish event: " + e.err.Error() }

func (e *publishError) Unwrap() error { return e.err }

func (e *publishError) Temporary() bool { return true }
