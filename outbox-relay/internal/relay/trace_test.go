package relay_test

import (
	"errors"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric/noop"

	"orderbell/internal/event/cloudevent"
	"orderbell/internal/tracing"
	"orderbell/internal/tracing/tracingtest"
)

func TestTheTraceGoesOn(t *testing.T) {
	t.Parallel()
	first, silent := outgoing(t, "a", tracingtest.Given), outgoing(t, "b", tracingtest.Unsampled)
	first.TraceState = "vendor=1"
	q := newQueue(first, silent)
	failed := false
	sent := map[string]cloudevent.Event{}
	b := &scripted{answer: func(_ int, _ string, e cloudevent.Event) error {
		if e.ID() == first.ID && !failed {
			failed = true
			return errors.New("no leader")
		}
		sent[e.ID()] = e
		return nil
	}}
	ctx, spans := tracingtest.Into(t.Context())
	relayAllIn(ctx, t, q, b, noop.Meter{})
	found := spans.Ended(tracing.SpanSend)
	if len(found) != 2 || found[0].Status().Code != codes.Error || found[1].Status().Code == codes.Error {
		t.Fatalf("spans: %v, want one that failed, then one that did not, and none of the trace that is not sampled", found)
	}
	for _, span := range found {
		if span.Parent().SpanID().String() != tracingtest.GivenSpan {
			t.Errorf("the parent is %s, want the request's span", span.Parent().SpanID())
		}
	}
	if got := sent[first.ID].Extensions(); got["traceparent"] != tracingtest.Parent(found[1]) || got["tracestate"] != "vendor=1" {
		t.Errorf("the event names %v, want the span that sent it, %s", got, tracingtest.Parent(found[1]))
	}
	if !found[1].StartTime().Equal(first.Time) {
		t.Errorf("the span begins at %s, want the order's change, %s", found[1].StartTime(), first.Time)
	}
	if got := sent[silent.ID].Extensions()["traceparent"].(string); got[:35] != tracingtest.Unsampled[:35] || got[53:] != "00" {
		t.Errorf("the other event names %s, want its own trace, not sampled", got)
	}
}
