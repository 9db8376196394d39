package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orderbell/cmd/orderbell/internal/traces"
	"orderbell/internal/dev/waittest"
	"orderbell/internal/event"
	"orderbell/internal/tracing"
)

// changeOfTrace is a change as orderbell trace prints it in JSON.
type changeOfTrace struct {
	Type    string        `json:"type"`
	OrderID string        `json:"order_id"`
	TraceID string        `json:"trace_id"`
	Spans   []traces.Span `json:"spans"`
}

// page is a browser's stream.
type page struct{ frames chan orderFrame }

type orderFrame struct{ id, data string }

func (d *dev) openPage(t *testing.T) *page {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.state.Origin+"/api/sse/notifications", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+d.token)
	r.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	p := &page{frames: make(chan orderFrame, 100)}
	ready := make(chan struct{})
	go func() {
		name, id := "", ""
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch {
			case field == "id":
				id = value
			case field == "event":
				name = value
			case field == "data" && name == "ready":
				close(ready)
			case field == "data" && event.Type(name).Valid():
				p.frames <- orderFrame{id, value}
			}
		}
		close(p.frames)
	}()
	<-ready
	return p
}

// next returns the next order frame's id and data.
func (p *page) next(t *testing.T) (string, map[string]any) {
	t.Helper()
	frame, ok := <-p.frames
	var data map[string]any
	if err := json.Unmarshal([]byte(frame.data), &data); !ok || err != nil {
		t.Fatalf("no order frame came (%v): %q", err, frame.data)
	}
	return frame.id, data
}

// parents returns the name of each span's parent, by the span's name and program.
func parents(spans []traces.Span) map[string]string {
	names := map[string]string{}
	for _, s := range spans {
		names[s.ID] = s.Name
	}
	found := map[string]string{}
	for _, s := range spans {
		found[s.Program+": "+s.Name] = names[s.ParentID]
	}
	return found
}

// TestTrace follows the changes of an order from the POST to the page, and prints the traces.
func TestTrace(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "dev")
	d := startDev(t, data)
	p := d.openPage(t)
	status, body := d.call(t, http.MethodPost, "/api/orders", newOrder)
	if status != http.StatusCreated {
		t.Fatalf("POST /api/orders: %d %s", status, body)
	}
	var order struct {
		ID string `json:"order_id"`
	}
	if err := json.Unmarshal([]byte(body), &order); err != nil {
		t.Fatal(err)
	}
	p.next(t)
	if status, body := d.call(t, http.MethodPost, "/api/orders/"+order.ID+"/pay", ""); status != http.StatusOK {
		t.Fatalf("pay: %d %s", status, body)
	}
	eventID, frame := p.next(t)
	receipt := fmt.Sprintf(`{"receipts":[{"event_id":%q,"traceparent":%q,"arrived_ms_ago":18,"painted_ms_ago":2}]}`, eventID, frame["traceparent"])
	if status, body := d.call(t, http.MethodPost, "/api/sse/receipts", receipt); status != http.StatusNoContent {
		t.Fatalf("receipt: %d %s", status, body)
	}
	want := []map[string]string{
		{
			"order-api: POST /api/orders":           "",
			"outbox-relay: " + tracing.SpanSend:     "POST /api/orders",
			"order-created: " + tracing.SpanProcess: tracing.SpanSend,
			"order-created: " + tracing.SpanApply:   tracing.SpanProcess,
			"order-created: " + tracing.SpanPublish: tracing.SpanProcess,
			"sse-gateway: " + tracing.SpanWrite:     tracing.SpanPublish,
		},
		{
			"order-api: POST /api/orders/{id}/pay": "",
			"outbox-relay: " + tracing.SpanSend:    "POST /api/orders/{id}/pay",
			"order-paid: " + tracing.SpanProcess:   tracing.SpanSend,
			"order-paid: " + tracing.SpanApply:     tracing.SpanProcess,
			"order-paid: " + tracing.SpanPublish:   tracing.SpanProcess,
			"order-paid: " + tracing.SpanMail:      tracing.SpanProcess,
			"sse-gateway: " + tracing.SpanWrite:    tracing.SpanPublish,
			"sse-gateway: " + tracing.SpanPaint:    tracing.SpanWrite,
		},
	}
	var changes []changeOfTrace
	waittest.Until(t, "the spans of all hops are there", func() bool {
		stdout, stderr, status := run(t, nil, "trace", "--data", data, "--json", order.ID)
		changes = nil // what an earlier answer had must not show where this one leaves a field out
		if err := json.Unmarshal([]byte(stdout), &changes); err != nil || status != 0 || len(changes) != 2 {
			t.Fatalf("status %d, %v: %s%s", status, err, stdout, stderr)
		}
		return len(parents(changes[0].Spans)) >= len(want[0]) && len(parents(changes[1].Spans)) >= len(want[1])
	})
	if diff := cmp.Diff(want, []map[string]string{parents(changes[0].Spans), parents(changes[1].Spans)}); diff != "" {
		t.Error(diff)
	}
	if got := tracing.ID(frame["traceparent"].(string)); got != changes[1].TraceID {
		t.Errorf("the frame names trace %s, want %s", got, changes[1].TraceID)
	}
	stdout, stderr, status := run(t, nil, "trace", "--data", data, "A-1", "--tenant", "demo")
	if status != 0 {
		t.Fatal(stderr)
	}
	t.Log("\n" + stdout)
	for _, name := range []string{"order_created of order A-1 (" + order.ID, "order_paid of order A-1 (" + order.ID, changes[1].TraceID, tracing.SpanPaint, "█"} {
		if !strings.Contains(stdout, name) {
			t.Errorf("no %q in what orderbell trace prints:\n%s", name, stdout)
		}
	}
	said := call(t, nil, "explain", "--data", data, "--reference", "A-1", "--user", "owner@demo.example")
	if !strings.Contains(said, "order_created ") || !strings.Contains(said, "Its trace is "+changes[1].TraceID+": orderbell trace "+order.ID) {
		t.Errorf("orderbell explain --reference says:\n%s", said)
	}
	if _, stderr, status := run(t, nil, "trace", "--data", data, "B-2"); status != 1 || !strings.Contains(stderr, "no order has the reference B-2") {
		t.Errorf("an unknown reference: %d %s", status, stderr)
	}
	if code := d.stop(t, syscall.SIGINT); code != 0 {
		t.Errorf("exit status %d", code)
	}
}
