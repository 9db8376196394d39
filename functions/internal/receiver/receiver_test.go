package receiver_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	"orderbell/functions/internal/receiver"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/problem"
)

// setup returns the receiver of order-paid that answers with what handle returns.
func setup(tb testing.TB, timeout time.Duration, log io.Writer, handle func(context.Context, event.Event) error) http.Handler {
	tb.Helper()
	rc, err := receiver.New(timeout, anyone{}, slog.New(slog.NewTextHandler(log, nil)), noop.NewMeterProvider().Meter(""),
		receiver.Only(event.OrderPaid, handle))
	if err != nil {
		tb.Fatal(err)
	}
	return rc
}

// anyone accepts every sender.
type anyone struct{}

func (anyone) Check(*http.Request) *problem.Problem { return nil }

// stranger refuses every sender.
type stranger struct{}

func (stranger) Check(*http.Request) *problem.Problem {
	return problem.New(http.StatusForbidden, "the sender is unknown")
}

func TestAnUnknownSenderIsRefusedBeforeItsBodyIsRead(t *testing.T) {
	t.Parallel()
	rc, err := receiver.New(time.Minute, stranger{}, slog.New(slog.DiscardHandler), noop.NewMeterProvider().Meter(""),
		receiver.Only(event.OrderPaid, func(context.Context, event.Event) error { t.Error("its event was handled"); return nil }))
	if err != nil {
		t.Fatal(err)
	}
	r := paid(t)
	r.Body = io.NopCloser(readerFunc(func() { t.Error("its body was read") }))
	if got := answer(rc, r); got.Code != http.StatusForbidden || got.Header().Get("kne-reason") != "the sender is unknown" {
		t.Errorf("status %d, kne-reason %q", got.Code, got.Header().Get("kne-reason"))
	}
}

type readerFunc func()

func (f readerFunc) Read([]byte) (int, error) { f(); return 0, io.EOF }

func taken(context.Context, event.Event) error { return nil }

// request reads a file of testdata/events: an HTTP request as it goes over the wire, named for the status it gets,
// with the header Want-Reason for what the answer must say.
func request(tb testing.TB, raw []byte) (r *http.Request, wantReason string) {
	tb.Helper()
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		tb.Fatal(err)
	}
	wantReason = r.Header.Get("Want-Reason")
	r.Header.Del("Want-Reason")
	return r, wantReason
}

func paid(tb testing.TB) *http.Request {
	tb.Helper()
	raw, err := os.ReadFile("testdata/events/202-binary.http")
	if err != nil {
		tb.Fatal(err)
	}
	r, _ := request(tb, raw)
	return r
}

func answer(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestServeHTTP(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/events/*.http")
	if err != nil || len(files) == 0 {
		t.Fatalf("no events: %v", err)
	}
	for _, file := range files {
		code, _, _ := strings.Cut(filepath.Base(file), "-")
		want, err := strconv.Atoi(code)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".http"), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r, reason := request(t, raw)
			got := answer(setup(t, time.Minute, io.Discard, taken), r)
			if got.Code != want {
				t.Fatalf("status %d, want %d; kne-reason: %s", got.Code, want, got.Header().Get("kne-reason"))
			}
			if !strings.Contains(got.Header().Get("kne-reason"), reason) {
				t.Errorf("kne-reason %q, want one with %q", got.Header().Get("kne-reason"), reason)
			}
			if want == http.StatusAccepted && got.Body.Len() > 0 {
				t.Errorf("a body with 202: %q", got.Body)
			}
		})
	}
}

func TestServeHTTPLimits(t *testing.T) {
	t.Parallel()
	t.Run("a body over the limit is 413", func(t *testing.T) {
		t.Parallel()
		r := paid(t)
		r.Body = io.NopCloser(strings.NewReader(strings.Repeat(" ", receiver.MaxBody+1)))
		if got := answer(setup(t, time.Minute, io.Discard, taken), r); got.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("status %d", got.Code)
		}
	})
	t.Run("data over the contract's limit is 400", func(t *testing.T) {
		t.Parallel()
		r := paid(t)
		r.Body = io.NopCloser(strings.NewReader(strings.Repeat(" ", event.MaxData+1)))
		if got := answer(setup(t, time.Minute, io.Discard, taken), r); got.Code != http.StatusBadRequest {
			t.Errorf("status %d", got.Code)
		}
	})
	t.Run("a sender that hangs up is 400", func(t *testing.T) {
		t.Parallel()
		r := paid(t)
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), failingReader{}))
		if got := answer(setup(t, time.Minute, io.Discard, taken), r); got.Code != http.StatusBadRequest {
			t.Errorf("status %d", got.Code)
		}
	})
	t.Run("work after the deadline is 503", func(t *testing.T) {
		t.Parallel()
		h := setup(t, time.Nanosecond, io.Discard, func(ctx context.Context, _ event.Event) error {
			<-ctx.Done()
			return errors.New("gave up")
		})
		if got := answer(h, paid(t)); got.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d", got.Code)
		}
	})
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

type temporary struct{ error }

func (temporary) Temporary() bool { return true }

type limited struct{ error }

func (limited) Limited() bool { return true }

type conflict struct{ error }

func (conflict) Conflict() bool { return true }

func TestServeHTTPOutcomes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err    error
		status int
		reason string
	}{
		"an invalid event":             {fmt.Errorf("apply: %w", &event.InvalidError{Field: "id", Reason: "is odd"}), 400, "invalid event: id is odd"},
		"another payload":              {event.ErrPayloadConflict, 400, "invalid event: id was used before with another type, time or data: give each event an id of its own"},
		"a store that is down":         {fmt.Errorf("apply event: %w", temporary{errors.New("refused")}), 503, "apply event: refused"},
		"a deadline further in":        {fmt.Errorf("publish: %w", context.DeadlineExceeded), 503, "publish: context deadline exceeded"},
		"a tenant's share is used":     {fmt.Errorf("apply event: %w", limited{errors.New("others wait")}), 429, "apply event: others wait"},
		"a lock held by another":       {fmt.Errorf("apply event: %w", conflict{errors.New("locked")}), 409, "apply event: locked"},
		"a bug":                        {errors.New("index out of range"), 500, "index out of range"},
		"a reason of two lines":        {errors.New("a\r\nX-Evil: b"), 500, "a??X-Evil: b"},
		"a reason in other characters": {errors.New("käse…"), 500, "k?se..."},
		"a long reason":                {errors.New(strings.Repeat("r", 2000)), 500, strings.Repeat("r", 509) + "..."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := answer(setup(t, time.Minute, io.Discard, func(context.Context, event.Event) error { return tt.err }), paid(t))
			if got.Code != tt.status || got.Header().Get("kne-reason") != tt.reason {
				t.Errorf("got %d %q, want %d %q", got.Code, got.Header().Get("kne-reason"), tt.status, tt.reason)
			}
			if media := got.Header().Get("Content-Type"); media != "application/problem+json" {
				t.Errorf("Content-Type %q", media)
			}
		})
	}
	t.Run("a panic is 500, logged with its stack, and does not end the program", func(t *testing.T) {
		t.Parallel()
		var log bytes.Buffer
		h := setup(t, time.Minute, &log, func(context.Context, event.Event) error { panic("boom") })
		for range 2 {
			if got := answer(h, paid(t)); got.Code != http.StatusInternalServerError {
				t.Errorf("status %d", got.Code)
			}
		}
		if !strings.Contains(log.String(), "panic=boom") || !strings.Contains(log.String(), "receiver_test.go") {
			t.Errorf("log: %s", log.String())
		}
	})
	t.Run("the handler gets the event unchanged", func(t *testing.T) {
		t.Parallel()
		var got event.Event
		answer(setup(t, time.Minute, io.Discard, func(_ context.Context, e event.Event) error {
			got = e
			return nil
		}), paid(t))
		if got.ID != "0193b5a2-1c1e-7c3a-9d55-0a1b2c3d4e5f" || got.Data.TotalAmount != 125000 || got.TraceParent == "" {
			t.Errorf("got %+v", got)
		}
	})
}

// FuzzServeHTTP sends any header and body: the answer is 202 or a 4xx with a reason of one line, never 500.
func FuzzServeHTTP(f *testing.F) {
	files, err := filepath.Glob("testdata/events/*.http")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	h := setup(f, time.Minute, io.Discard, func(_ context.Context, e event.Event) error {
		ce, err := cloudevent.New(e)
		if err != nil {
			return fmt.Errorf("an accepted event does not encode: %w", err)
		}
		if _, err := cloudevent.Parse(ce); err != nil {
			return errors.New("an accepted event is refused later: " + err.Error())
		}
		return nil
	})
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return // the server has refused it
		}
		got := answer(h, r)
		reason := got.Header().Get("kne-reason")
		switch got.Code {
		case http.StatusAccepted:
			if reason != "" || got.Body.Len() > 0 {
				t.Errorf("202 with reason %q and body %q", reason, got.Body)
			}
		case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed,
			http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
			if reason == "" || len(reason) > 512 || strings.ContainsAny(reason, "\r\n") {
				t.Errorf("%d with reason %q", got.Code, reason)
			}
		default:
			t.Errorf("status %d: %s", got.Code, reason)
		}
	})
}
