package receiver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderbell/functions/internal/receiver"
	"orderbell/internal/event"
	"orderbell/internal/event/deadletter"
	"orderbell/internal/problem/problemtest"
)

const refusedExamples = "../../../specs/004-order-notifications/contracts/examples/events/invalid"

// TestProblems records the answer to each event that is not handled, and the reason in its dead letter.
func TestProblems(t *testing.T) {
	t.Parallel()
	var book problemtest.Book
	add := func(what string, h http.Handler, r *http.Request) {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == http.StatusAccepted {
			t.Errorf("%s: it is handled", what)
			return
		}
		then := "a dead letter at once"
		if deadletter.Retryable(w.Code) {
			then = "tried again, then a dead letter"
		}
		book.Add(t, what+": "+then, w.Result())
	}
	function := setup(t, time.Minute, io.Discard, taken)
	structuredBody := func(body []byte) *http.Request {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(string(body)))
		r.Header = structured()
		return r
	}
	for _, file := range glob(t, "testdata/events/4*.http") {
		r, _ := request(t, contentOf(t, file))
		add(file, function, r)
	}
	for _, file := range glob(t, refusedExamples+"/*.json") {
		var example struct{ Event json.RawMessage }
		if err := json.Unmarshal(contentOf(t, file), &example); err != nil {
			t.Fatal(err)
		}
		add("contracts/examples/events/invalid/"+filepath.Base(file), function, structuredBody(example.Event))
	}
	for _, c := range []struct{ field, value string }{
		{"version", "1e400"},
		{"status", "[]"},
		{"timestamp", `"0000-01-01T00:00:00Z"`},
		{"total_amount", "null"},
		{"actor", "true"},
		{"actor.user_id", `"` + strings.Repeat("A", 256) + `"`},
		{"actor.name", `"` + strings.Repeat("A", 201) + `"`},
		{"actor.user_id", `"a\nb"`},
		{"reference", `"\ud83d"`},
		{"reference", "\"\xff\""},
		{"currency", `"` + strings.Repeat("A", event.MaxData) + `"`},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(put(t, wholeData, c.field, c.value)))
		r.Header = binary(t)
		add(fmt.Sprintf("data with %s %.20q", c.field, c.value), function, r)
	}
	add("a long source", function, structuredBody([]byte(put(t, whole, "source", `"/`+strings.Repeat("s", 255)+`"`))))
	large, cut, compressed := paid(t), paid(t), paid(t)
	large.Body = io.NopCloser(strings.NewReader(strings.Repeat(" ", receiver.MaxBody+1)))
	add("a body over the limit", function, large)
	cut.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), failingReader{}))
	add("a body that breaks off", function, cut)
	compressed.Header.Set("Content-Encoding", "gzip")
	add("a compressed body", function, compressed)

	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		what   string
		handle func(context.Context, event.Event) error
	}{
		{"an id that was used for another event", func(context.Context, event.Event) error { return event.ErrPayloadConflict }},
		{"a source of another tenant", func(_ context.Context, e event.Event) error { return event.ForeignSource(e.Source, e.Data.TenantID) }},
		{"an event of another year", func(_ context.Context, e event.Event) error { return e.CheckAge(now.AddDate(1, 0, 0), 45) }},
		{"an event of the future", func(_ context.Context, e event.Event) error { return e.CheckAge(now.AddDate(-1, 0, 0), 45) }},
		{"a store that is down", func(context.Context, event.Event) error {
			return fmt.Errorf("apply event: %w", temporary{errors.New("connection refused")})
		}},
		{"a lock that another delivery holds", func(context.Context, event.Event) error { return conflict{errors.New("locked")} }},
		{"a panic", func(context.Context, event.Event) error { panic("boom") }},
	} {
		add(c.what, setup(t, time.Minute, io.Discard, c.handle), paid(t))
	}
	book.Compare(t)
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	return files
}

func contentOf(t *testing.T, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
