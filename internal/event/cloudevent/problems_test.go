package cloudevent_test

import (
	"fmt"
	"strings"
	"testing"

	"orderbell/internal/dev/goldentest"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/problem/problemtest"
)

// TestProblemsOfTheOutbox has one row for each reason that only a row of the outbox can have. What a function refuses is in its
// receiver's file.
func TestProblemsOfTheOutbox(t *testing.T) {
	t.Parallel()
	var book strings.Builder
	for _, c := range []struct {
		what   string
		change func(*event.Outgoing)
	}{
		{"a type that no function takes", func(o *event.Outgoing) { o.Type = "order_eaten" }},
		{"data of another order", func(o *event.Outgoing) { o.OrderID = "6f1f6c1e-3c57-4b4b-9a0e-0d6d2f1f9b10" }},
		{"data of another tenant", func(o *event.Outgoing) { o.TenantID = "kopi" }},
		{"no id", func(o *event.Outgoing) { o.ID = "" }},
	} {
		o := event.Outgoing{ID: eventID, Source: event.Source, Type: event.OrderPaid, OrderID: orderID, TenantID: "demo", Time: paid().Time, Raw: cloudEvent(t).Data()}
		c.change(&o)
		_, err := cloudevent.FromOutbox(o)
		if err == nil {
			t.Errorf("%s: it is sent", c.what)
			continue
		}
		_, _ = fmt.Fprintf(&book, "a row of the outbox with %s: a dead letter at once\n  %v\n\n", c.what, err)
	}
	goldentest.Compare(t, problemtest.File, book.String())
}
