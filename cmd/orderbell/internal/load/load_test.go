package load_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"orderbell/cmd/orderbell/internal/load"
	"orderbell/cmd/orderbell/internal/progress"
	"orderbell/cmd/orderbell/internal/watch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gateway sends each client ten events once all are connected, and treats some of them as faulty says.
type gateway struct {
	clients int32
	ready   atomic.Int32
	faulty  func(client string, n int) (frame string, ok bool)
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") == "Bearer refused" {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	_, _ = fmt.Fprint(w, "retry: 50\nid: 0\nevent: ready\ndata: {}\n\n")
	_ = http.NewResponseController(w).Flush()
	for g.ready.Add(1); g.ready.Load() < g.clients && r.Context().Err() == nil; {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(500 * time.Millisecond) // the measurement has begun
	changed := time.Now().Add(-300 * time.Millisecond).Format(time.RFC3339Nano)
	for n := range 10 {
		frame := fmt.Sprintf("id: e%d\nevent: order_paid\ndata: {\"timestamp\":%q}\n\n", n, changed)
		if g.faulty != nil {
			if other, ok := g.faulty(r.Header.Get("Authorization"), n); ok {
				frame = other
			}
		}
		_, _ = fmt.Fprint(w, frame)
		_ = http.NewResponseController(w).Flush()
	}
	<-r.Context().Done()
}

func run(t *testing.T, g *gateway, clients int, token func(int) string) load.Report {
	t.Helper()
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	report, err := load.Plan{
		Clients: clients, For: 3 * time.Second, Settle: time.Second, Patience: 30 * time.Second, AtOnce: 4,
		Stream:   func(client int) watch.Options { return watch.Options{Origin: s.URL, Token: token(client)} },
		Progress: progress.Shower{},
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func client(n int) string { return fmt.Sprintf("client-%d", n) }

func TestALoad(t *testing.T) {
	t.Parallel()
	r := run(t, &gateway{clients: 20}, 20, client)
	if r.Problem() != "" || r.Connected != 20 || r.Events != 10 || r.Deliveries != 200 || r.Repeated != 0 || r.Gaps != 0 || r.Cuts != 0 {
		t.Errorf("%+v, want ten events for each of 20 clients", r)
	}
	l := r.Latency
	if l.P50 < 300*time.Millisecond || l.P50 > l.P90 || l.P90 > l.P99 || l.P99 > l.P999 || l.P999 > l.Most || l.Most > 30*time.Second {
		t.Errorf("latency is %+v, want 300 ms and more", l)
	}
	if r.Spread.Most <= 0 || r.Spread.Most > 30*time.Second { // may exceed the latency: each client's events have their own time
		t.Errorf("spread is %+v", r.Spread)
	}
}

func TestGapsAreSeen(t *testing.T) {
	t.Parallel()
	r := run(t, &gateway{clients: 3, faulty: func(who string, n int) (string, bool) {
		switch {
		case who == "Bearer client-0" && n >= 8:
			return "", true
		case who == "Bearer client-1" && n == 3:
			return "id: e3\nevent: resync\ndata: {}\n\n", true
		case who == "Bearer client-2" && n == 1:
			return "id: e0\nevent: order_paid\ndata: {}\n\nid: e1\nevent: order_paid\ndata: {}\n\n", true
		}
		return "", false
	}}, 3, client)
	if r.Gaps != 2 || r.GapsOf != 1 || r.Resyncs != 1 || r.Repeated != 1 || r.Problem() == "" {
		t.Errorf("%+v, want 2 gaps of one client, a resync of another, and a repetition", r)
	}
}

func TestWhoIsRefusedIsNamed(t *testing.T) {
	t.Parallel()
	r := run(t, &gateway{clients: 2}, 3, func(n int) string {
		if n == 0 {
			return "refused"
		}
		return client(n)
	})
	if r.Refused != 1 || r.Connected != 2 || r.Refusal == "" || r.Problem() == "" || r.Gaps != 0 {
		t.Errorf("%+v, want one refusal", r)
	}
}

func TestALoadThatIsBrokenOff(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(&gateway{clients: 2})
	t.Cleanup(s.Close)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	r, err := load.Plan{
		Clients: 1, For: time.Hour, Settle: time.Hour, Patience: time.Hour, AtOnce: 1,
		Stream:   func(int) watch.Options { return watch.Options{Origin: s.URL, Token: "a"} },
		Progress: progress.Shower{},
	}.Run(ctx)
	if err != nil || r.Events != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
