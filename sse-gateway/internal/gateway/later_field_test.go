package gateway_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"orderbell/internal/event"
	"orderbell/internal/feed/message"
)

// A field that the contract gets later reaches the page without a new gateway.
func TestAFieldThatTheGatewayDoesNotKnowReachesThePage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.openAs(t, "ann")
	c.mustNext(t) // ready
	raw := []byte(`{"order_id":"6f1f6c1e-3c57-4b4b-9a0e-0d6d2f1f9b10","tenant_id":"` + b.tenant + `","status":"paid","total_amount":125000,` +
		`"currency":"IDR","version":2,"timestamp":"2026-11-24T10:00:00Z","table":{"number": 7.50}}`)
	data, err := event.ParseData(raw)
	if err != nil {
		t.Fatal(err)
	}
	e := event.Event{ID: uuid.Must(uuid.NewV7()).String(), Type: event.OrderPaid, Data: data, Raw: raw}
	m, err := message.New(e, []event.Recipient{{UserID: "ann", NotificationID: "n-1"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.feed.Publish(t.Context(), b.tenant, m); err != nil {
		t.Fatal(err)
	}
	const field = `,"table":{"number":7.50}}`
	if f := c.mustNext(t); f.Event != "notification" || !strings.HasSuffix(f.Data, field+"}") {
		t.Errorf("got %+v, want a notification with %s", f, field)
	}
	if f := c.mustNext(t); f.Event != "order_paid" || !strings.HasSuffix(f.Data, field) {
		t.Errorf("got %+v, want the order with %s", f, field)
	}
}
