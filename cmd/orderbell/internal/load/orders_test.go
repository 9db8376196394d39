package load_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"orderbell/cmd/orderbell/internal/load"
	"orderbell/cmd/orderbell/internal/progress"
)

// shop is an Orderbell that shows each accepted change on its tenant's stream after delay.
type shop struct {
	delay  time.Duration
	refuse func(n int) (status int, body string) // of the n-th request; 0 accepts it
	lose   func(n int) bool                      // the n-th accepted change is not shown

	mu       sync.Mutex
	requests int
	streams  map[string]chan string
	keys     map[string]bool
}

func (s *shop) stream(tenant string) chan string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[tenant] == nil {
		s.streams[tenant] = make(chan string, 1000)
	}
	return s.streams[tenant]
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tenant := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if r.Method == http.MethodGet {
		_, _ = fmt.Fprint(w, "id: 0\nevent: ready\ndata: {}\n\n")
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case frame := <-s.stream(tenant):
				_, _ = fmt.Fprint(w, frame)
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
	s.mu.Lock()
	s.requests++
	n := s.requests
	s.keys[r.Header.Get("Idempotency-Key")] = true
	s.mu.Unlock()
	if s.refuse != nil {
		if status, body := s.refuse(n); status != 0 {
			w.WriteHeader(status)
			_, _ = fmt.Fprint(w, body)
			return
		}
	}
	id, kind, status := fmt.Sprintf("order-%d", n), "order_created", "submitted"
	if strings.HasSuffix(r.URL.Path, "/pay") {
		id, kind, status = strings.Split(r.URL.Path, "/")[3], "order_paid", "paid"
	}
	if s.lose == nil || !s.lose(n) {
		frame := fmt.Sprintf("id: e%d\nevent: %s\ndata: {\"order_id\":%q}\n\n", n, kind, id)
		early := fmt.Sprintf("id: 0\nevent: order_committed\ndata: {\"order_id\":%q,\"status\":%q}\n\n", id, status)
		time.AfterFunc(s.delay/10, func() { s.stream(tenant) <- early })
		time.AfterFunc(s.delay, func() { s.stream(tenant) <- frame })
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = fmt.Fprintf(w, `{"order_id":%q}`, id)
}

func (s *shop) load(t *testing.T, plan load.OrderPlan) load.OrderReport {
	t.Helper()
	s.streams, s.keys = map[string]chan string{}, map[string]bool{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	plan.Origin, plan.Progress = server.URL, progress.Shower{}
	plan.Token = func(tenant string) (string, error) { return tenant, nil }
	report, err := plan.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestOrdersBecomeVisible(t *testing.T) {
	t.Parallel()
	s := &shop{delay: 100 * time.Millisecond}
	r := s.load(t, load.OrderPlan{Tenants: []string{"a", "b", "c"}, Rate: 100, Orders: 60, Pay: true, InFlight: 50, Patience: 30 * time.Second})
	if r.Planned != 120 || r.Accepted != 120 || r.Missing != 0 || r.Problem() != "" || len(s.keys) != 120 {
		t.Errorf("%+v and %d keys, want 60 orders created and paid", r, len(s.keys))
	}
	if r.Visible.P50 < 100*time.Millisecond || r.Visible.P50 > r.Visible.Most || r.Answer.P50 <= 0 || r.Queue < 1 || r.Sent < 500*time.Millisecond {
		t.Errorf("%+v, want 100 ms and more until a change is visible", r)
	}
	if r.Shown.P50 < 10*time.Millisecond || r.Shown.P50 >= r.Visible.P50 {
		t.Errorf("%+v, want 10 ms and more until an order is shown, and less than to its event", r)
	}
	accepted, seen := 0, 0
	for _, second := range r.Seconds {
		accepted, seen = accepted+second.Accepted, seen+second.Seen
	}
	if accepted != 120 || seen != 120 {
		t.Errorf("the seconds have %d accepted and %d seen, want 120 each", accepted, seen)
	}
	if r.Limit != r.Bottleneck() {
		t.Errorf("the report names the bottleneck %q, want %q", r.Limit, r.Bottleneck())
	}
	var plot bytes.Buffer
	if err := r.SVG(&plot); err != nil || !strings.HasSuffix(plot.String(), "</svg>\n") || !strings.Contains(plot.String(), r.Bottleneck()) {
		t.Errorf("%v: %s", err, plot.String())
	}
}

func TestALoadNamesItsBottleneck(t *testing.T) {
	t.Parallel()
	plan := load.OrderPlan{Tenants: []string{"a"}, Orders: 50, InFlight: 10, Patience: 30 * time.Second}
	unsent := func(n int64) func(context.Context) (int64, error) {
		return func(context.Context) (int64, error) { return n, nil }
	}
	for name, c := range map[string]struct {
		shop          *shop
		change        func(*load.OrderPlan)
		bottleneck    string
		problem       string
		accepted, bad int
	}{
		"a tenant's limit": {
			&shop{refuse: func(n int) (int, string) {
				if n%2 == 0 {
					return 429, `{"limit":"orders_per_second"}`
				}
				return 0, ""
			}}, func(*load.OrderPlan) {}, "a tenant's limit: 25 requests", "25 × 429 Too Many Requests orders_per_second", 25, 0,
		},
		"the API": {
			&shop{refuse: func(n int) (int, string) {
				if n == 7 {
					return 503, "no JSON"
				}
				return 0, ""
			}}, func(*load.OrderPlan) {}, "order-api or its database: 1 of 50 requests failed", "1 × 503", 49, 0,
		},
		"the outbox": {
			&shop{delay: 2 * time.Second}, func(p *load.OrderPlan) { p.Rate, p.Unsent = 40, unsent(45) },
			"outbox-relay or Kafka: the outbox held up to 45", "", 50, 0,
		},
		"the functions": {
			&shop{delay: 2 * time.Second}, func(p *load.OrderPlan) { p.Rate, p.Unsent = 40, unsent(3) },
			"the functions: up to 50 events", "", 50, 0,
		},
		"something unknown": {
			&shop{delay: 2 * time.Second}, func(p *load.OrderPlan) { p.Rate = 40 },
			"outbox-relay, Kafka or the functions", "", 50, 0,
		},
		"nothing": {&shop{}, func(p *load.OrderPlan) { p.Rate = 40 }, "none", "", 50, 0},
		"a lost change": {
			&shop{lose: func(n int) bool { return n == 9 }}, func(p *load.OrderPlan) { p.Patience = time.Second },
			"", "1 accepted changes did not reach a screen", 50, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := plan
			c.change(&plan)
			r := c.shop.load(t, plan)
			if r.Accepted != c.accepted || r.Missing != c.bad {
				t.Errorf("%d accepted, %d missing, want %d and %d", r.Accepted, r.Missing, c.accepted, c.bad)
			}
			if !strings.HasPrefix(r.Bottleneck(), c.bottleneck) {
				t.Errorf("the bottleneck is %q, want %q", r.Bottleneck(), c.bottleneck)
			}
			if c.problem == "" && r.Problem() != "" || !strings.Contains(r.Problem(), c.problem) {
				t.Errorf("the problem is %q, want %q", r.Problem(), c.problem)
			}
		})
	}
}

func TestWhatTheSnapshotHasIsNotMissing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		frame             string
		reloaded, missing int
	}{
		"resync":           {"id: x\nevent: resync\ndata: {}\n\n", 2, 1},
		"ready, no resume": {"id: x\nevent: ready\ndata: {\"resumed\":false}\n\n", 2, 1},
		"ready, resumed":   {"id: x\nevent: ready\ndata: {\"resumed\":true}\n\n", 0, 3},
		"no reload":        {": heartbeat\n", 0, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &shop{lose: func(n int) bool { return n == 2 || n == 3 || n == 30 }}
			s.refuse = func(n int) (int, string) {
				if n == 20 { // one request at a time: the first 19 are answered, the 30th is not sent yet
					s.stream("a") <- c.frame
					time.Sleep(200 * time.Millisecond)
				}
				return 0, ""
			}
			r := s.load(t, load.OrderPlan{Tenants: []string{"a"}, Orders: 40, InFlight: 1, Patience: time.Second})
			if r.Reloaded != c.reloaded || r.Missing != c.missing || (r.Problem() == "") != (c.missing == 0) {
				t.Errorf("%d reloaded, %d missing, problem %q, want %d and %d", r.Reloaded, r.Missing, r.Problem(), c.reloaded, c.missing)
			}
		})
	}
}

func TestALoadWithoutATokenDoesNotBegin(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusUnauthorized) }))
	t.Cleanup(server.Close)
	_, err := load.OrderPlan{
		Origin: server.URL, Tenants: []string{"a"}, Orders: 1, InFlight: 1, Patience: 30 * time.Second, Progress: progress.Shower{},
		Token: func(string) (string, error) { return "refused", nil },
	}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "tenant a: the stream is refused with 401") {
		t.Errorf("error %v", err)
	}
}

func TestABlindLoadOpensNoStreamAndAwaitsNothing(t *testing.T) {
	t.Parallel()
	s := &shop{lose: func(int) bool { return true }}
	r := s.load(t, load.OrderPlan{Tenants: []string{"a"}, Orders: 5, Pay: true, Blind: true, InFlight: 2, Patience: time.Hour})
	if r.Planned != 10 || r.Accepted != 10 || r.Missing != 0 {
		t.Errorf("%+v, want 5 orders created and paid, and none missing", r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.streams) != 0 {
		t.Errorf("streams of %d tenants were opened", len(s.streams))
	}
}
