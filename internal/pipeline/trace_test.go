package pipeline_test

import (
	"testing"
	"time"

	"orderbell/internal/order"
	"orderbell/internal/tracing"
	"orderbell/internal/tracing/tracingtest"
)

func TestTheTraceGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	e := newEvent(t, order.Paid, time.Now())
	e.TraceParent, e.TraceState = tracingtest.Given, "vendor=1"
	ctx, spans := tracingtest.Into(t.Context())
	ctx, delivery := tracing.Start(tracing.With(ctx, tracing.Parent{TraceParent: e.TraceParent, TraceState: e.TraceState}), tracing.SpanProcess)
	if err := b.Handle(ctx, e); err != nil {
		t.Fatal(err)
	}
	delivery.End()
	process, apply, publish := spans.One(t, tracing.SpanProcess), spans.One(t, tracing.SpanApply), spans.One(t, tracing.SpanPublish)
	if got := process.Parent().SpanID().String(); got != tracingtest.GivenSpan {
		t.Errorf("the delivery's parent is %s", got)
	}
	for _, child := range []string{apply.Parent().SpanID().String(), publish.Parent().SpanID().String()} {
		if child != process.SpanContext().SpanID().String() {
			t.Errorf("the parent is %s, want the delivery", child)
		}
	}
	m := b.published[0]
	if m.TraceParent != tracingtest.Parent(publish) || m.TraceState != "vendor=1" {
		t.Errorf("the message names %s %q, want the span that published it: %s", m.TraceParent, m.TraceState, tracingtest.Parent(publish))
	}
	for _, table := range []string{"event_records", "email_deliveries"} {
		if n := b.count("SELECT count(*) FROM " + table + " WHERE traceparent = '" + tracingtest.Parent(process) + "'"); n != 1 {
			t.Errorf("%d rows of %s name the delivery, want 1", n, table)
		}
	}
	if n := b.count("SELECT count(*) FROM email_deliveries WHERE tracestate = 'vendor=1'"); n != 1 {
		t.Errorf("%d mails have the tracestate, want 1", n)
	}
}

func TestAnEventOfBeforeTheStartIsCold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for at, want := range map[time.Time]bool{time.Now().Add(-time.Minute): true, time.Now().Add(time.Minute): false} {
		b.published = nil
		if err := b.Handle(t.Context(), newEvent(t, order.Paid, at)); err != nil {
			t.Fatal(err)
		}
		if b.published[0].Cold != want {
			t.Errorf("an event of %s: cold is %t", at, b.published[0].Cold)
		}
	}
}
