package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"

	"orderbell/internal/feed/feedtest"
	"orderbell/internal/feed/message"
	"orderbell/internal/tracing"
	"orderbell/internal/tracing/tracingtest"
)

func (b *bundle) receipts(t *testing.T, user, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL+"/api/sse/receipts", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		r.Header.Set("Authorization", "Bearer "+b.token(t, user))
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := b.server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	said, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(said)
}

func oneReceipt(eventID, traceParent string, arrived, painted int) string {
	return fmt.Sprintf(`{"receipts":[{"event_id":%q,"traceparent":%q,"arrived_ms_ago":%d,"painted_ms_ago":%d}]}`, eventID, traceParent, arrived, painted)
}

// sampled publishes a change that is a minute old and sampled.
func (b *bundle) sampled(t *testing.T) message.Message {
	t.Helper()
	m := feedtest.At(feedtest.Message(b.tenant, 1), time.Now().Add(-time.Minute))
	m.TraceParent, m.TraceState = tracingtest.Given, "vendor=1"
	if err := b.feed.Publish(t.Context(), b.tenant, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAReceiptEndsTheTraceAtThePixels(t *testing.T) {
	t.Parallel()
	b, spans, reader := traced(t)
	m := b.sampled(t)
	const frame = "00-" + tracingtest.GivenTrace + "-b7ad6b7169203331-01" // the gateway's span, as the frame named it
	before := time.Now()
	if status, said := b.receipts(t, "u-1", oneReceipt(m.ID, frame, 620, 600)); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, said)
	}
	span := spans.One(t, tracing.SpanPaint)
	if span.Parent().SpanID().String() != "b7ad6b7169203331" || span.Parent().TraceState().String() != "vendor=1" {
		t.Errorf("the parent is %v, want the span that the frame named", span.Parent())
	}
	if took := span.EndTime().Sub(span.StartTime()); took != 20*time.Millisecond || span.EndTime().Before(before.Add(-time.Second)) || span.EndTime().After(time.Now()) {
		t.Errorf("the span goes from %s to %s", span.StartTime(), span.EndTime())
	}
	points := visible(t, reader, 1)
	if place, _ := points[0].Attributes.Value(attribute.Key("place")); len(points) != 1 || place.AsString() != "pixel" || points[0].Sum < 55 || points[0].Sum > 90 {
		t.Errorf("points: %+v, want one to the pixels, after about a minute", points)
	}
	if e := points[0].Exemplars; len(e) != 1 {
		t.Errorf("exemplars: %+v, want the trace", e)
	}

	// None of these belongs to a change of this tenant and trace.
	other := feedtest.Message("other-tenant", 1)
	other.TraceParent = tracingtest.Given
	if err := b.feed.Publish(t.Context(), "other-tenant", other); err != nil {
		t.Fatal(err)
	}
	for what, body := range map[string]string{
		"an unknown event":            oneReceipt(uuid.NewString(), frame, 2, 1),
		"another tenant's event":      oneReceipt(other.ID, frame, 2, 1),
		"another trace":               oneReceipt(m.ID, strings.Replace(frame, "4bf9", "5bf9", 1), 2, 1),
		"a trace that is not sampled": oneReceipt(m.ID, frame[:53]+"00", 2, 1),
	} {
		if status, said := b.receipts(t, "u-"+what, body); status != http.StatusNoContent {
			t.Errorf("%s: %d %s", what, status, said)
		}
	}
	if n := len(spans.Ended(tracing.SpanPaint)); n != 1 {
		t.Errorf("%d spans, want none for these receipts", n)
	}
}

func TestReceiptsThatAreRefused(t *testing.T) {
	t.Parallel()
	b, _, _ := traced(t)
	good := oneReceipt(uuid.NewString(), tracingtest.Given, 2, 1)
	for name, test := range map[string]struct {
		body   string
		status int
		said   string
	}{
		"none":          {`{"receipts":[]}`, 422, "must have 1 to 10 entries; it has 0"},
		"too many":      {`{"receipts":[` + strings.Repeat(`{},`, 10) + `{}]}`, 422, "it has 11"},
		"no id":         {strings.Replace(good, `"event_id":"`, `"event_id":"x`, 1), 422, "receipts[0].event_id"},
		"no trace":      {oneReceipt(uuid.NewString(), "00-x", 2, 1), 422, "receipts[0].traceparent"},
		"too old":       {oneReceipt(uuid.NewString(), tracingtest.Given, 30001, 1), 422, "receipts[0].arrived_ms_ago"},
		"of the future": {oneReceipt(uuid.NewString(), tracingtest.Given, 1, -1), 422, "receipts[0].painted_ms_ago"},
		"invalid ages":  {strings.ReplaceAll(good, "_ms_ago", "_at"), 422, "is not a field"},
		"large":         {`{"receipts":[{"event_id":"` + strings.Repeat("x", 1<<20) + `"}]}`, 413, ""},
	} {
		if status, said := b.receipts(t, "u-"+name, test.body); status != test.status || !strings.Contains(said, test.said) {
			t.Errorf("%s: %d %s, want %d %q", name, status, said, test.status, test.said)
		}
	}
	if status, _ := b.receipts(t, "", good); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	passed, last := 0, 0
	for range 20 {
		if last, _ = b.receipts(t, "u-eager", good); last == http.StatusNoContent {
			passed++
		}
	}
	if passed < 5 || passed > 15 || last != http.StatusTooManyRequests {
		t.Errorf("%d of 20 at once were let in, the last answer was %d: want 5, a few more on a slow machine, and 429", passed, last)
	}
	if status, _ := b.receipts(t, "u-calm", good); status != http.StatusNoContent {
		t.Errorf("another user: %d", status)
	}
}
