package delivery_test

import (
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"

	"orderbell/internal/mail"
	"orderbell/internal/tracing"
	"orderbell/internal/tracing/tracingtest"
)

// TestAMailOfASweepIsInItsOrdersTrace sends a mail long after its event, whose trace it belongs to all the same.
func TestAMailOfASweepIsInItsOrdersTrace(t *testing.T) {
	t.Parallel()
	b := setup(t, config())
	b.due(t, "A-1042")
	b.exec(`UPDATE email_deliveries SET traceparent = $1, tracestate = 'vendor=1'`, tracingtest.Given)
	b.send = sendError(mail.Deferred, 451, "busy")
	ctx, spans := tracingtest.Into(t.Context())
	ctx, sweep := tracing.Start(ctx, tracing.SpanSweep)
	if _, err := b.Sweep(ctx, 1, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	sweep.End()
	found := spans.Ended(tracing.SpanMail)
	if len(found) != 2 {
		t.Fatalf("%d spans, want one for each mail", len(found))
	}
	for _, span := range found {
		if span.Parent().SpanID().String() != tracingtest.GivenSpan || span.Parent().TraceState().String() != "vendor=1" {
			t.Errorf("the parent is %v, want the event's delivery", span.Parent())
		}
		if links := span.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != sweep.SpanContext().SpanID() {
			t.Errorf("links are %v, want the sweep", links)
		}
		if span.Status().Code != codes.Error {
			t.Errorf("the status is %v, want an error", span.Status())
		}
	}
}
