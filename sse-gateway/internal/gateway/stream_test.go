package gateway_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"orderbell/internal/auth"
	"orderbell/internal/duration"
	"orderbell/internal/event"
	"orderbell/internal/feed/message"
	"orderbell/internal/order"
	"orderbell/sse-gateway/internal/gateway"
)

func TestAStreamBeginsWithReady(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.open(t)
	if f := c.mustNext(t); f.Event != "ready" || f.ID != "0" || f.Data != `{"tenant_id":"`+b.tenant+`","resumed":false,"live":true,"heartbeat_ms":25000}` || f.Retry == "" {
		t.Errorf("the first frame is %+v, want ready with id 0 and retry", f)
	}
	want := map[string]string{
		"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store, no-transform",
		"X-Accel-Buffering": "no", "Incremental": "?1",
	}
	for name, value := range want {
		if got := c.Header.Get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}

func TestRecipientsAreTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ann, bob := b.openAs(t, "ann"), b.openAs(t, "bob")
	ann.mustNext(t)
	bob.mustNext(t)
	m := b.publish(t, 1, event.Recipient{UserID: "zoe", NotificationID: "n-9"}, event.Recipient{UserID: "ann", NotificationID: "n-1"})
	n := ann.mustNext(t)
	if n.Event != "notification" || n.ID != m.ID+".n" || !strings.HasPrefix(n.Data, `{"notification_id":"n-1","event_id":"`+m.ID+`","event":"order_paid","data":{"order_id":`) {
		t.Errorf("ann is told %+v, want her notification", n)
	}
	if f := ann.mustNext(t); f.ID != m.ID || !strings.HasSuffix(n.Data, `"data":`+f.Data+"}") {
		t.Errorf("then comes %+v, want the event with the same data", f)
	}
	if f := bob.mustNext(t); f.ID != m.ID {
		t.Errorf("bob is told %+v, want the event alone", f)
	}
	again := b.openAs(t, "ann", "Last-Event-ID", n.ID)
	again.mustNext(t)
	if f := again.mustNext(t); f.ID != n.ID {
		t.Errorf("after a cut after the notification comes %+v, want it again", f)
	}
}

func TestOtherTenantsHearNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.do(t, b.request(t, t.Context(), "/api/sse/notifications?tenant_id="+b.tenant+"&stream="+b.tenant,
		"Accept", "text/event-stream", "Authorization", "Bearer "+b.token(t, "eve", func(p *auth.Principal) { p.TenantID = "other" })))
	other.mustNext(t)
	mine := b.open(t)
	mine.mustNext(t)
	secret := b.publish(t, 1)
	mine.mustNext(t)
	foreign := b.do(t, b.request(t, t.Context(), "/api/sse/notifications", "Accept", "text/event-stream", "Last-Event-ID", secret.ID,
		"Authorization", "Bearer "+b.token(t, "eve", func(p *auth.Principal) { p.TenantID = "other" })))
	foreign.mustNext(t)
	if f := foreign.mustNext(t); f.Event != "resync" || strings.Contains(f.ID, secret.ID) {
		t.Errorf("another tenant's id leads to %+v, want a resync", f)
	}
	b.tenant, mine = "other", nil
	m := b.publish(t, 2)
	if f := other.mustNext(t); f.ID != m.ID {
		t.Errorf("the other tenant hears %+v, want its own event %s", f, m.ID)
	}
}

func TestAnyLastEventIDIsTaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	last := b.publish(t, 1)
	for name, id := range map[string]string{
		"malformed": "bogus", "unknown": uuid.Must(uuid.NewV7()).String(), "a number": "17", "long": strings.Repeat("9", 3000),
		"not ASCII": "\xff\xfe", "a suffix": ".n", "white space": "a b\tc", "an old one": "01800000-0000-7000-8000-000000000000",
	} {
		c := b.open(t, "Last-Event-ID", id)
		if c.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", name, c.StatusCode)
			continue
		}
		if f := c.mustNext(t); f.Event != "ready" || f.ID != "0" || !strings.Contains(f.Data, `"resumed":false`) {
			t.Errorf("%s: %+v, want ready with id 0", name, f)
		}
		if f := c.mustNext(t); f.Event != "resync" || f.ID != last.ID || !strings.Contains(f.Data, `"snapshot":"/api/orders/snapshot"`) {
			t.Errorf("%s: %+v, want a resync with id %s", name, f, last.ID)
		}
	}
	m := b.publish(t, 2)
	c := b.do(t, b.request(t, t.Context(), "/api/sse/notifications?lastEventId="+last.ID, "Authorization", "Bearer "+b.token(t, "u")))
	if f := c.mustNext(t); f.ID != last.ID {
		t.Errorf("lastEventId leads to %+v, want ready with id %s", f, last.ID)
	}
	c = b.do(t, b.request(t, t.Context(), "/api/sse/notifications?lastEventId=bogus", "Last-Event-ID", m.ID, "Authorization", "Bearer "+b.token(t, "u")))
	if f := c.mustNext(t); f.ID != m.ID {
		t.Errorf("the header beside lastEventId leads to %+v, want ready with id %s", f, m.ID)
	}
}

// numbers are what differs from one stream to the next in an example.
var numbers = regexp.MustCompile(`retry: \d+|"retry_ms":\d+|"heartbeat_ms":\d+|"expires_at":"[^"]*"`)

func example(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../../../specs/004-order-notifications/contracts/examples/sse", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func encode(t *testing.T, data event.Data) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestExamples compares the bytes of the contract's examples with what the gateway sends.
func TestExamples(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *gateway.Config) {
		c.Fanout.Heartbeat = duration.Seconds(time.Second)
		c.Fanout.TokenNotice = duration.Seconds(time.Hour)
		c.Logs.CompareEvery = duration.Seconds(time.Hour)
	})
	b.tenant = "demo"
	data := event.Data{
		OrderID: "6f1f6c1e-3c57-4b4b-9a0e-0d6d2f1f9b10", TenantID: "demo", Status: order.Submitted, Reference: "A-1042",
		TotalAmount: 125000, Currency: "IDR", Version: 1, Timestamp: time.Date(2026, 11, 24, 9, 58, 0, 0, time.UTC),
	}
	created := message.Message{
		ID: "01a20cfd-a840-7a10-8c11-2f0e6a7b4c01", Event: event.OrderCreated, Data: encode(t, data),
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
	data.Status, data.Version, data.Timestamp = order.Paid, 2, data.Timestamp.Add(2*time.Minute)
	paid := message.Message{ID: "01a20cff-7d02-7d21-9a44-5b1e8c9d3f02", Event: event.OrderPaid, Data: encode(t, data), Recipients: []event.Recipient{
		{UserID: "u-1", NotificationID: "0b0c8f4e-5d53-4f0e-9c54-2a4b0d8f7e11"},
	}}
	data.Status, data.Version, data.Timestamp = order.Preparing, 3, data.Timestamp.Add(time.Minute)
	updated := message.Message{ID: "01a20d00-6760-7b33-8f02-77c1d2e3f403", Event: event.OrderStatusUpdated, Data: encode(t, data)}

	compare := func(name, got string) {
		t.Helper()
		if diff := cmp.Diff(numbers.ReplaceAllString(example(t, name), "#"), numbers.ReplaceAllString(got, "#")); diff != "" {
			t.Errorf("%s.txt (-contract +gateway):\n%s", name, diff)
		}
	}
	send := func(messages ...message.Message) {
		t.Helper()
		for _, m := range messages {
			if err := b.feed.Publish(t.Context(), "demo", m); err != nil {
				t.Fatal(err)
			}
		}
	}
	long := func(p *auth.Principal) { p.Expires = time.Now().Add(24 * time.Hour) }
	token := "Bearer " + b.token(t, "u-1", long)
	open := func(header ...string) *client {
		t.Helper()
		return b.do(t, b.request(t, t.Context(), "/api/sse/notifications", append(header, "Accept", "text/event-stream", "Authorization", token)...))
	}

	c := open()
	compare("ready_empty", c.raw(t, 1))
	compare("heartbeat", c.rawLine(t))
	send(created)
	compare("order_created", c.raw(t, 1))
	compare("ready_new", open().raw(t, 1))
	resumed, confused := open("Last-Event-ID", created.ID), open("Last-Event-ID", "bogus")
	compare("ready_resumed", resumed.raw(t, 1))
	stream := confused.raw(t, 2)
	send(paid)
	compare("notification", c.raw(t, 1))
	compare("order_paid", c.raw(t, 1))
	confused.raw(t, 1) // the notification is not in this example
	compare("stream_resync", stream+confused.raw(t, 1))
	send(updated)
	compare("order_status_updated", c.raw(t, 1))
	compare("stream_resumed", open("Last-Event-ID", created.ID).raw(t, 4))
	compare("resync_unknown_id", strings.SplitAfter(open("Last-Event-ID", "bogus").raw(t, 2), "\n\n")[1])
	compare("resync_too_old", strings.SplitAfter(open("Last-Event-ID", "01800000-0000-7000-8000-000000000000").raw(t, 2), "\n\n")[1])
	token = "Bearer " + b.token(t, "u-1") // expires within the time of the announcement
	compare("token_expiring", strings.SplitAfter(open().raw(t, 2), "\n\n")[1])
	at, _, err := b.feed.Lookup(t.Context(), "demo", updated.ID)
	if err != nil {
		t.Fatal(err)
	}
	b.redis.Publish("orders:{demo}", at.String()+" "+at.Next().String()+" broken")
	compare("resync_unreadable", c.raw(t, 1))
	b.redis.FlushAll()
	b.redis.SetTime(time.Now().Add(time.Second))
	send(created)
	compare("resync_stream_lost", c.raw(t, 1))
	c.raw(t, 1)
	b.gateway.Drain(t.Context())
	compare("goodbye", c.raw(t, 1))
	refused := open("Last-Event-ID", created.ID)
	compare("overloaded_draining", refused.raw(t, 1))
}

// raw returns the bytes of the next n frames.
func (c *client) raw(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	for n > 0 {
		line := c.rawLine(t)
		if line == ":\n" {
			continue
		}
		b.WriteString(line)
		if line == "\n" {
			n--
		}
	}
	return b.String()
}

func (c *client) rawLine(t *testing.T) string {
	t.Helper()
	line, err := c.lines.ReadString('\n')
	if err != nil {
		t.Fatalf("the stream ended: %v", err)
	}
	return line
}

func TestOtherWritersAreServedAlike(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(http.Handler) *httptest.Server{
		"HTTP/2": func(h http.Handler) *httptest.Server {
			s := httptest.NewUnstartedServer(h)
			s.EnableHTTP2 = true
			s.StartTLS()
			return s
		},
		"TLS": func(h http.Handler) *httptest.Server { return httptest.NewTLSServer(h) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(c *gateway.Config) { c.Fanout.Heartbeat = duration.Seconds(time.Second) })
			b.server.Close()
			b.server = start(b.gateway)
			first := b.publish(t, 1)
			c := b.open(t, "Last-Event-ID", first.ID)
			if want := map[string]int{"HTTP/2": 2, "TLS": 1}[name]; c.ProtoMajor != want {
				t.Fatalf("the protocol is %s", c.Proto)
			}
			c.mustNext(t)
			m := b.publish(t, 2, event.Recipient{UserID: "u-1", NotificationID: "n"})
			if n, f := c.mustNext(t), c.mustNext(t); n.ID != m.ID+".n" || f.ID != m.ID {
				t.Errorf("got %+v and %+v, want the notification and the event", n, f)
			}
			if line := c.rawLine(t); line != ":\n" {
				t.Errorf("got %q, want a heartbeat", line)
			}
			b.gateway.Drain(t.Context())
			f, err := c.next()
			for err == nil && f.Retry == "" {
				f, err = c.next()
			}
			if _, end := c.next(); err != nil || end == nil || errors.Is(end, io.EOF) && !errors.Is(end, io.ErrUnexpectedEOF) {
				t.Errorf("the stream ended with %v, %v; want an incomplete body after retry", err, end)
			}
		})
	}
}
