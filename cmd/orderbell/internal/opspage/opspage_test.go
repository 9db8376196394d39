package opspage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/cmd/orderbell/internal/load"
	"orderbell/cmd/orderbell/internal/opspage"
	"orderbell/cmd/orderbell/internal/status"
	"orderbell/cmd/orderbell/internal/traces"
	"orderbell/cmd/orderbell/internal/verify"
	"orderbell/cmd/orderbell/internal/watch"
	"orderbell/internal/audit"
	"orderbell/internal/dev/waittest"
	"orderbell/internal/tracing"
)

// world is the environment of a page under test.
type world struct {
	mu       sync.Mutex
	tally    audit.Tally
	seen     []string
	broken   bool
	repairs  int
	redriven []string
	finish   chan struct{} // ends the spike
	open     chan string   // frames of the stream
}

func (w *world) Clock(context.Context) (now, firstDay time.Time, err error) {
	return time.Now(), time.Time{}, nil
}

func (w *world) Tally(_ context.Context, of audit.Watched) (audit.Tally, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = of.Seen
	return w.tally, nil
}

func (w *world) List(context.Context, deadletter.Filter) ([]deadletter.Letter, error) {
	return []deadletter.Letter{{ID: "0-7", Reason: "the subscriber answered 400"}}, nil
}

func (w *world) Redrive(_ context.Context, c deadletter.Choice, _ bool) (deadletter.Result, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.IDs[0] != "0-7" {
		return deadletter.Result{}, errors.New("there is no dead letter " + c.IDs[0])
	}
	w.redriven = append(w.redriven, c.IDs...)
	return deadletter.Result{Redriven: []deadletter.Letter{{ID: "0-7"}}}, nil
}

func (w *world) set(t audit.Tally) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tally = t
}

// setup serves a page. Its broken parts repair themselves after most.
func setup(t *testing.T, most time.Duration) (*world, *httptest.Server) {
	t.Helper()
	w := &world{finish: make(chan struct{}), open: make(chan string, 10)}
	gateway := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/event-stream")
		for {
			select {
			case frame := <-w.open:
				_, _ = rw.Write([]byte(frame))
				_ = http.NewResponseController(rw).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}))
	w.open <- "id: 0\nevent: ready\ndata: {\"resumed\":false}\n\n"
	began := time.Now()
	page, err := opspage.New(opspage.Config{
		Origin: "http://localhost:8080", Tenants: []string{"demo"}, Store: w, Letters: w, Most: most, Log: slog.New(slog.DiscardHandler),
		Stream: func(string) watch.Options { return watch.Options{Origin: gateway.URL} },
		Traces: func(int) [][]traces.Span {
			at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
			return [][]traces.Span{{
				{TraceID: "t", Name: "POST /api/orders", Start: at(0), End: at(4)},
				{TraceID: "t", Name: tracing.SpanSend, Start: at(2), End: at(10)},
				{TraceID: "t", Name: tracing.SpanProcess, Start: at(15), End: at(30)},
				{TraceID: "t", Name: tracing.SpanApply, Start: at(16), End: at(17), Error: "refused"},
				{TraceID: "t", Name: tracing.SpanApply, Start: at(18), End: at(25)},
			}}
		},
		Probes: []status.Probe{{Kind: status.Queue, Name: "unsent", Ask: func(context.Context) (status.Finding, error) {
			return status.Outbox(3, time.Second), nil
		}}},
		Verify: func(context.Context, time.Time) ([]verify.Report, error) {
			return []verify.Report{{Checks: []verify.Check{{Name: "orders", Looked: 5}, {Name: "stream", Skipped: "Redis is down"}}}}, nil
		},
		Spike: func(ctx context.Context, payments int, p load.Progress) (load.OrderReport, error) {
			step, _ := p.Begin("orders", int64(payments))
			step(2)
			select {
			case <-w.finish:
			case <-ctx.Done():
			}
			return load.OrderReport{Refused: map[string]int{"503": 1}}, nil
		},
		Parts: []opspage.Part{
			{
				Name: "redis", Title: "Redis", Break: func() { w.mark(true) }, Repair: func() error { w.mark(false); return nil },
				Ready: func(context.Context) error { return nil },
			},
			{Name: "smtp", Title: "the mail server", Why: "SMTP_URL names a server of your own"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(page)
	t.Cleanup(func() {
		server.Close()
		page.Close()
		gateway.CloseClientConnections()
		gateway.Close()
	})
	return w, server
}

func (w *world) mark(broken bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = broken
	if !broken {
		w.repairs++
	}
}

func (w *world) isBroken() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken
}

// do sends a request as the page does, changed by its options, and returns status and body.
func do(t *testing.T, server *httptest.Server, method, path, body string, options ...func(*http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", server.URL)
	}
	for _, o := range options {
		o(r)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, text.String()
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func state(t *testing.T, server *httptest.Server) (s opspage.State) {
	t.Helper()
	code, body := do(t, server, http.MethodGet, "/state", "")
	if err := json.Unmarshal([]byte(body), &s); err != nil || code != http.StatusOK {
		t.Fatalf("GET /state: %d %s", code, body)
	}
	return s
}

// await returns the first state that is as wanted.
func await(t *testing.T, server *httptest.Server, what string, wanted func(opspage.State) bool) (s opspage.State) {
	t.Helper()
	waittest.Until(t, what, func() bool {
		s = state(t, server)
		return wanted(s)
	})
	return s
}

func TestOnlyItsOwnPageOfThisMachineMayAct(t *testing.T) {
	t.Parallel()
	w, server := setup(t, time.Hour)
	rebound := func(r *http.Request) { r.Host = "evil.example" }
	for _, c := range []struct {
		name, method, path string
		options            []func(*http.Request)
		want               int
	}{
		{"the state at another host name", http.MethodGet, "/state", []func(*http.Request){rebound}, http.StatusForbidden},
		{"the page at another host name", http.MethodGet, "/", []func(*http.Request){rebound}, http.StatusForbidden},
		{"an action at another host name", http.MethodPost, "/break", []func(*http.Request){rebound, header("Origin", "http://evil.example")}, http.StatusForbidden},
		{"an action of another site", http.MethodPost, "/break", []func(*http.Request){header("Origin", "http://evil.example")}, http.StatusForbidden},
		{"an action of another port", http.MethodPost, "/break", []func(*http.Request){header("Origin", "http://127.0.0.1:8080")}, http.StatusForbidden},
		{"an action without Origin", http.MethodPost, "/break", []func(*http.Request){func(r *http.Request) { r.Header.Del("Origin") }}, http.StatusForbidden},
		{"an action as a form sends it", http.MethodPost, "/break", []func(*http.Request){header("Content-Type", "text/plain")}, http.StatusUnsupportedMediaType},
		{"an action by GET", http.MethodGet, "/break", nil, http.StatusOK}, // the page: nothing is done
	} {
		code, body := do(t, server, c.method, c.path, `{"part":"redis"}`, c.options...)
		if code != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, code, body, c.want)
		}
		if w.isBroken() {
			t.Fatalf("%s has broken Redis", c.name)
		}
	}
	if code, body := do(t, server, http.MethodPost, "/break", `{"part":"redis"}`); code != http.StatusAccepted || !w.isBroken() {
		t.Errorf("an action of the page: %d %s, broken %t", code, body, w.isBroken())
	}
	r, err := http.Get(server.URL + "/") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close() //nolint:errcheck // only its headers are read
	if got := r.Header.Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'self'") || !strings.Contains(got, "frame-ancestors 'none'") {
		t.Errorf("the page's Content-Security-Policy is %q", got)
	}
}

func TestABrokenPart(t *testing.T) {
	t.Parallel()
	of := func(name, want string) func(opspage.State) bool {
		return func(s opspage.State) bool {
			for _, f := range s.Faults {
				if f.Name == name {
					return f.State == want
				}
			}
			return false
		}
	}
	t.Run("is repaired when it is told", func(t *testing.T) {
		t.Parallel()
		w, server := setup(t, time.Hour)
		do(t, server, http.MethodPost, "/break", `{"part":"redis"}`)
		s := await(t, server, "Redis is broken", of("redis", "broken"))
		if at := s.Faults[0].RepairsAt; at == nil || time.Until(*at) > time.Hour {
			t.Errorf("it says that it repairs itself at %v", at)
		}
		if code, _ := do(t, server, http.MethodPost, "/break", `{"part":"redis"}`); code != http.StatusConflict {
			t.Errorf("a second break: %d, want 409", code)
		}
		do(t, server, http.MethodPost, "/repair", `{"part":"redis"}`)
		await(t, server, "Redis is up", of("redis", "up"))
		if w.isBroken() || w.repairs != 1 {
			t.Errorf("broken %t after %d repairs", w.isBroken(), w.repairs)
		}
		if code, _ := do(t, server, http.MethodPost, "/repair", `{"part":"redis"}`); code != http.StatusConflict {
			t.Errorf("a repair of a part that is up: %d, want 409", code)
		}
	})
	t.Run("repairs itself", func(t *testing.T) {
		t.Parallel()
		w, server := setup(t, 50*time.Millisecond)
		do(t, server, http.MethodPost, "/break", `{"part":"redis"}`)
		await(t, server, "Redis is up", func(s opspage.State) bool { return of("redis", "up")(s) && !w.isBroken() })
	})
	t.Run("may be another's, or none", func(t *testing.T) {
		t.Parallel()
		_, server := setup(t, time.Hour)
		if code, body := do(t, server, http.MethodPost, "/break", `{"part":"smtp"}`); code != http.StatusConflict || !strings.Contains(body, "SMTP_URL") {
			t.Errorf("a server of the user's own: %d %s", code, body)
		}
		if code, _ := do(t, server, http.MethodPost, "/break", `{"part":"postgresql"}`); code != http.StatusUnprocessableEntity {
			t.Errorf("an unknown part: %d, want 422", code)
		}
	})
}

func TestState(t *testing.T) {
	t.Parallel()
	w, server := setup(t, time.Hour)
	const eventID = "01a2b3c4-0000-7000-8000-0000000000e1"
	await(t, server, "counting has begun", func(s opspage.State) bool { return s.OnTheWay != nil && *s.OnTheWay == 0 })
	w.set(audit.Tally{Made: 3, InInbox: 3, Seen: 2, Apart: 1, Mails: 4, Mailed: 1, Deferred: 1})
	s := await(t, server, "three are on the way", func(s opspage.State) bool { return *s.OnTheWay == 3 })
	if len(s.Parts) != 1 || s.Parts[0].Name != "unsent" || *s.Parts[0].Waiting != 3 {
		t.Errorf("parts are %+v", s.Parts)
	}
	if s.Open != 1 || len(s.Letters) != 1 || s.Letters[0].ID != "0-7" {
		t.Errorf("%d dead letters: %+v", s.Open, s.Letters)
	}
	var legs []string
	for _, l := range s.Traces[0].Legs {
		legs = append(legs, l.Hop)
		if l.Hop == "kafka" && (l.Start != 10 || l.Took != 5) || l.Hop == "function" && (l.Tries != 2 || l.Failed != "" || l.Took != 7) {
			t.Errorf("a leg is %+v", l)
		}
	}
	if got := strings.Join(legs, " "); got != "order outbox kafka function" {
		t.Errorf("the legs are %s", got)
	}
	w.open <- "id: " + eventID + "\nevent: order_paid\ndata: {}\n\nid: 7\nevent: degraded\ndata: {}\n\n"
	await(t, server, "the event was seen", func(opspage.State) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.seen) == 1 && w.seen[0] == eventID
	})
}

func TestVerifyWaitsUntilNothingIsOnTheWay(t *testing.T) {
	t.Parallel()
	w, server := setup(t, time.Hour)
	await(t, server, "counting has begun", func(s opspage.State) bool { return s.OnTheWay != nil })
	w.set(audit.Tally{Made: 1, Apart: 1})
	if code, body := do(t, server, http.MethodPost, "/verify", `{}`); code != http.StatusConflict || !strings.Contains(body, "1 are still on the way") {
		t.Errorf("with one on the way: %d %s", code, body)
	}
	w.set(audit.Tally{Made: 1, InInbox: 1, Seen: 1})
	if code, body := do(t, server, http.MethodPost, "/verify", `{}`); code != http.StatusOK {
		t.Errorf("with none on the way: %d %s", code, body)
	}
	if v := state(t, server).Verdict; v == nil || v.Looked != 5 || v.Total != 0 || len(v.Skipped) != 1 {
		t.Errorf("the verdict is %+v", v)
	}
}

func TestSpikeAndRedrive(t *testing.T) {
	t.Parallel()
	w, server := setup(t, time.Hour)
	for _, body := range []string{`{"payments":0}`, `{"payments":501}`} {
		if code, _ := do(t, server, http.MethodPost, "/spike", body); code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d, want 422", body, code)
		}
	}
	if code, body := do(t, server, http.MethodPost, "/spike", `{"payments":4}`); code != http.StatusAccepted {
		t.Fatalf("a spike: %d %s", code, body)
	}
	await(t, server, "two are paid", func(s opspage.State) bool { return s.Spike.Running && s.Spike.Done == 2 && s.Spike.Payments == 4 })
	if code, _ := do(t, server, http.MethodPost, "/spike", `{"payments":4}`); code != http.StatusConflict {
		t.Errorf("a second spike: %d, want 409", code)
	}
	close(w.finish)
	await(t, server, "the spike is over", func(s opspage.State) bool { return !s.Spike.Running && s.Spike.Refused == 1 })

	if code, body := do(t, server, http.MethodPost, "/redrive", `{"letter":"0-7"}`); code != http.StatusOK || len(w.redriven) != 1 {
		t.Errorf("a redrive: %d %s, redriven %v", code, body, w.redriven)
	}
	for body, want := range map[string]int{`{"letter":"0-8"}`: http.StatusConflict, `{"letter":""}`: http.StatusUnprocessableEntity} {
		if code, text := do(t, server, http.MethodPost, "/redrive", body); code != want {
			t.Errorf("redrive %s: %d %s, want %d", body, code, text, want)
		}
	}
}
