package problem_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/problem"
)

func TestAPanicIsLoggedAndAnswered(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		sent string // X-Request-Id
		kept bool
	}{
		"with the client's id":    {"till-7.a_b", true},
		"without an id":           {"", false},
		"with an invalid id":      {"a\u202eb", false},
		"with an id that is long": {strings.Repeat("x", 65), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said strings.Builder
			h := problem.Handler(slog.New(slog.NewJSONHandler(&said, nil)), func(http.ResponseWriter, *http.Request) error {
				panic("boom")
			})
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/here", nil)
			r.Header.Set("X-Request-Id", tt.sent)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			var got problem.Problem
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			id := got.RequestID
			if w.Code != http.StatusInternalServerError || id == "" || id != w.Header().Get("X-Request-Id") || (id == tt.sent) != tt.kept {
				t.Errorf("%d with id %q and header %q", w.Code, id, w.Header().Get("X-Request-Id"))
			}
			for _, want := range []string{`"level":"ERROR"`, `"panic":"boom"`, `"path":"/here"`, `"request_id":"` + id + `"`, "recover_test.go"} {
				if !strings.Contains(said.String(), want) {
					t.Errorf("the log has no %s: %s", want, said.String())
				}
			}
		})
	}
}

// TestAProblemHasNoHeaderOfAnotherAnswer: with the length of the answer that was meant, the problem would be cut.
func TestAProblemHasNoHeaderOfAnotherAnswer(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"a panic": func() error { panic("boom") }, "an error": func() error { return errors.New("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := problem.Handler(slog.New(slog.DiscardHandler), func(w http.ResponseWriter, _ *http.Request) error {
				for _, header := range []string{"Content-Length", "Content-Encoding", "Content-Disposition", "Content-Language", "ETag", "Last-Modified"} {
					w.Header().Set(header, "2")
				}
				w.Header().Set("X-Frame-Options", "DENY")
				return fail()
			})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			w.Header().Del("X-Request-Id")
			want := http.Header{
				"Content-Type": {"application/problem+json"}, "Cache-Control": {"no-store"}, "X-Frame-Options": {"DENY"},
			}
			if diff := cmp.Diff(want, w.Header()); diff != "" || w.Code != http.StatusInternalServerError {
				t.Errorf("status %d: %s", w.Code, diff)
			}
		})
	}
}

func TestAPanicCutsAnAnswerThatHasBegun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		panics any
		logged bool
	}{
		"a fault":             {"boom", true},
		"an abort on purpose": {http.ErrAbortHandler, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said strings.Builder
			log := slog.New(slog.NewTextHandler(&said, nil))
			h := problem.Recover(log, problem.Handler(log, func(w http.ResponseWriter, _ *http.Request) error {
				_, _ = io.WriteString(w, "half")
				_ = http.NewResponseController(w).Flush()
				panic(c.panics)
			}))
			if body, err := get(t, h); body != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("the client reads %q, %v; want half and a cut", body, err)
			}
			if logged := strings.Contains(said.String(), "panicked"); logged != c.logged {
				t.Errorf("the log: %q", said.String())
			}
		})
	}
}

func TestAQueryThatCannotBeParsedIsRefused(t *testing.T) {
	t.Parallel()
	h := problem.Handler(slog.New(slog.DiscardHandler), func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
	for query, want := range map[string]int{"": 204, "a=1&b=%20": 204, "cursor=%zz": 400, "limit=2;cursor=x": 400, "%": 400} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.URL.RawQuery = query
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("?%s: %d, want %d", query, w.Code, want)
		}
	}
}

func TestOptionalBody(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		media, body string
		status      int // 0: fine
	}{
		"no body":                          {"", "", 0},
		"no body with a media type":        {"text/plain", "", 0},
		"an empty object":                  {"application/json", "{}", 0},
		"a field":                          {"application/json", `{"a":1}`, 422},
		"a form":                           {"application/x-www-form-urlencoded", "a=b", 415},
		"white space is not an empty body": {"application/json", " ", 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, chunked := range []bool{false, true} {
				var body io.Reader = strings.NewReader(tt.body)
				if chunked {
					body = io.MultiReader(body) // of unknown length
				}
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body)
				r.Header.Set("Content-Type", tt.media)
				_, err := problem.OptionalBody(httptest.NewRecorder(), r)
				checkStatus(t, err, tt.status)
			}
		})
	}
}

// TestAPanicAfterAFlush cuts an answer of which only the head was sent.
func TestAPanicAfterAFlush(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(http.ResponseWriter) error{
		"a flushed head": func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
		"a connection that was taken over": func(w http.ResponseWriter) error {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said strings.Builder
			h := problem.Recover(slog.New(slog.NewTextHandler(&said, nil)), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if err := begin(w); err != nil {
					t.Error(err)
				}
				panic("boom")
			}))
			if body, err := get(t, h); len(body) > 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("the client reads %q, %v; want a cut", body, err)
			}
			if !strings.Contains(said.String(), "panicked") {
				t.Errorf("the log: %q", said.String())
			}
		})
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	for query, want := range map[string][2]int{ // of Query, of OnlyQuery
		"":                  {0, 0},
		"limit=2&cursor=x":  {0, 0},
		"limit=2&limit=2":   {400, 400},
		"Limit=2":           {400, 400},
		"limit=2&CURSOR=x":  {400, 400},
		"limit=2&sttae=x":   {0, 400},
		"limit=2;cursor=x":  {400, 400},
		"cursor=%zz":        {400, 400},
		"limit=2&other=%zz": {400, 400},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.URL.RawQuery = query
		_, err := problem.Query(r, "limit", "cursor")
		checkStatus(t, err, want[0])
		_, err = problem.OnlyQuery(r, "limit", "cursor")
		checkStatus(t, err, want[1])
	}
}

// get returns what a client reads of the answer's body.
func get(t *testing.T, h http.Handler) (body string, err error) {
	t.Helper()
	s := httptest.NewServer(h)
	defer s.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	read, err := io.ReadAll(resp.Body)
	return string(read), err
}

// TestWhatBeginsAnAnswer panics after each kind of status: an answer that has begun is cut, a note before it is not an answer.
func TestWhatBeginsAnAnswer(t *testing.T) {
	t.Parallel()
	for status, begun := range map[int]bool{
		http.StatusProcessing: false, http.StatusEarlyHints: false, http.StatusOK: true, http.StatusNoContent: true, http.StatusNotFound: true,
		http.StatusSwitchingProtocols: true,
	} {
		for _, fault := range []any{"boom", errors.New("boom")} {
			answer := httptest.NewRecorder()
			var said strings.Builder
			h := problem.Recover(slog.New(slog.NewTextHandler(&said, nil)), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				panic(fault)
			}))
			cut := func() (v any) {
				defer func() { v = recover() }()
				h.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
				return nil
			}()
			if (cut != nil) != begun || cut != nil && cut != any(http.ErrAbortHandler) || !strings.Contains(said.String(), "boom") {
				t.Errorf("a panic after %d: cut with %v, want cut: %t; the log: %s", status, cut, begun, said.String())
			}
			if wrote := strings.Contains(answer.Body.String(), "request_id"); wrote == begun {
				t.Errorf("a panic after %d is answered with %q", status, answer.Body)
			}
		}
	}
}
