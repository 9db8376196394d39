package tenantlog_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"orderbell/internal/duration"
	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/tenantlog"
	"orderbell/sse-gateway/internal/tenantlog/tenantlogtest"
)

// marked is a stream that knows where some events are, and has nothing to read.
type marked struct {
	tenantlogtest.Nothing

	mu     sync.Mutex
	events map[string]bool
}

func (m *marked) mark(eventID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events[eventID] = true
}

func (m *marked) Lookup(_ context.Context, _, eventID string) (message.Position, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return message.Position{Millis: 1}, m.events[eventID], nil
}

func (m *marked) Read(context.Context, string, message.Position, int) ([]message.Published, message.Tail, error) {
	return nil, message.Tail{}, nil
}

// to returns the commit of an event without the order's data.
func to(eventID string) []message.Commit { return []message.Commit{{EventID: eventID}} }

// well is a Redis that answers every probe.
type well struct{}

func (well) Probe(context.Context) error { return nil }

func TestAnEventThatDoesNotComeDegradesTheFeed(t *testing.T) {
	t.Parallel()
	order := tenantlogtest.Published(1)
	for name, test := range map[string]struct {
		before, after func(*tenantlog.Logs, *marked) // the event is expected, and later
		degraded      time.Duration                  // how long after; 0: never
		until         time.Duration
	}{
		"it came in time": {
			before: func(l *tenantlog.Logs, _ *marked) { l.Expected("demo", to(order.Message.ID)) },
			after:  func(l *tenantlog.Logs, _ *marked) { l.Published("demo", order) },
		},
		"it is expected after it came": {
			before: func(l *tenantlog.Logs, m *marked) {
				m.mark("an event of the past")
				l.Expected("demo", to("an event of the past"))
			},
		},
		"it does not come": {
			before:   func(l *tenantlog.Logs, _ *marked) { l.Expected("demo", to("a lost event")) },
			degraded: 5 * time.Second,
			until:    5*time.Minute + time.Second, // the list was read since
		},
		"it comes late": {
			before:   func(l *tenantlog.Logs, _ *marked) { l.Expected("demo", to(order.Message.ID)) },
			after:    func(l *tenantlog.Logs, _ *marked) { l.Published("demo", order) },
			degraded: 5 * time.Second,
			until:    20*time.Second + time.Second,
		},
		"it came while this log missed it": {
			before:   func(l *tenantlog.Logs, _ *marked) { l.Expected("demo", to("elsewhere")) },
			after:    func(_ *tenantlog.Logs, m *marked) { m.mark("elsewhere") },
			degraded: 5 * time.Second,
			until:    30 * time.Second,
		},
		"another tenant's": {
			before: func(l *tenantlog.Logs, _ *marked) { l.Expected("kopi", to("a lost event")) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				stream := &marked{events: map[string]bool{}}
				logs := tenantlogtest.Run(t, tenantlog.Config{MaxBytes: 1 << 20, MaxEvents: 100, CompareEvery: duration.Seconds(time.Hour)}, stream)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go logs.Guard(ctx, well{})
				log := tenantlogtest.Acquire(t, logs, "demo")
				defer logs.Release(log)
				after := func(d time.Duration) { // since the start, which is the moment of the commit
					<-time.After(d)
					synctest.Wait()
				}
				test.before(logs, stream)
				if name == "it came in time" {
					after(time.Second)
					test.after(logs, stream)
				}
				after(5 * time.Second)
				if got, want := logs.Degraded() > 0, test.degraded > 0; got != want {
					t.Fatalf("after 5 s the feed is degraded: %t, want %t", got, want)
				}
				if test.degraded == 0 {
					after(time.Minute)
					if logs.Degraded() > 0 {
						t.Error("later the feed is degraded")
					}
					return
				}
				after(15 * time.Second)
				if test.after != nil {
					test.after(logs, stream)
				} else if logs.Degraded() == 0 {
					t.Error("the feed is no longer degraded before the event came")
				}
				after(test.until - 20*time.Second)
				if logs.Degraded() > 0 {
					t.Error("the feed is still degraded")
				}
			})
		})
	}
}
