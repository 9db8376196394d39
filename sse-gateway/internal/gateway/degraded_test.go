package gateway_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"

	"orderbell/internal/dev/waittest"
	"orderbell/internal/duration"
	"orderbell/internal/feed/feedtest"
	"orderbell/sse-gateway/internal/gateway"
)

// soon is how soon a client must know that its feed is not guaranteed. The contract says 5 s.
const soon = 5 * time.Second

// nextStatus returns the next frame that is not an order's, which must be called name.
func (c *client) nextStatus(t *testing.T, name string) frame {
	t.Helper()
	f := c.mustNextOfAll(t)
	if f.Event != name {
		t.Fatalf("the stream shows %+v, want %s", f, name)
	}
	return f
}

func field(t *testing.T, f frame, name string) any {
	t.Helper()
	var data map[string]any
	if err := json.Unmarshal([]byte(f.Data), &data); err != nil {
		t.Fatal(err)
	}
	return data[name]
}

func TestClientsHearThatTheFeedIsNotGuaranteed(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]struct {
		begin, end func(*testing.T, *bundle, *feedtest.Gate)
		lossy      bool // Redis loses what it had
	}{
		"Redis is down": {
			begin: func(_ *testing.T, b *bundle, _ *feedtest.Gate) { b.redis.Close() },
			end: func(t *testing.T, b *bundle, _ *feedtest.Gate) {
				t.Helper()
				if err := b.redis.Restart(); err != nil {
					t.Fatal(err)
				}
			},
		},
		"Redis comes back without its memory": {
			begin: func(_ *testing.T, b *bundle, _ *feedtest.Gate) { b.redis.Close() },
			end: func(t *testing.T, b *bundle, _ *feedtest.Gate) {
				t.Helper()
				b.redis.FlushAll()
				if err := b.redis.Restart(); err != nil {
					t.Fatal(err)
				}
			},
			lossy: true,
		},
		"Redis hangs": {
			begin: func(_ *testing.T, _ *bundle, g *feedtest.Gate) { g.Shut(true) },
			end:   func(_ *testing.T, _ *bundle, g *feedtest.Gate) { g.Shut(false) },
		},
		"Redis takes no messages": {
			begin: func(_ *testing.T, b *bundle, _ *feedtest.Gate) {
				b.redis.Server().SetPreHook(func(c *server.Peer, cmd string, _ ...string) bool {
					refused := strings.HasPrefix(strings.ToUpper(cmd), "EVAL")
					if refused {
						c.WriteError("OOM command not allowed when used memory > 'maxmemory'.")
					}
					return refused
				})
			},
			end: func(_ *testing.T, b *bundle, _ *feedtest.Gate) { b.redis.Server().SetPreHook(nil) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var gate *feedtest.Gate
			b := setup(t, func(c *gateway.Config) {
				gate = feedtest.NewGate(t, strings.TrimPrefix(c.Feed.URL, "redis://"))
				c.Feed.URL = "redis://" + gate.Addr
				c.Logs.CompareEvery = duration.Seconds(time.Hour)
			})
			first := b.publish(t, 1)
			w := b.open(t)
			if f := w.nextStatus(t, "ready"); field(t, f, "live") != true || f.ID != first.ID {
				t.Errorf("the first frame is %+v, want a live stream after %s", f, first.ID)
			}
			began := time.Now()
			outage.begin(t, b, gate)
			f := w.nextStatus(t, "degraded")
			if took := time.Since(began); took > soon {
				t.Errorf("the client is told after %s, want at most %s", took, soon)
			}
			since, err := time.Parse(time.RFC3339, field(t, f, "since").(string))
			if err != nil || since.After(began) || since.Before(began.Add(-soon)) || f.ID != first.ID {
				t.Errorf("the frame is %+v, want id %s and a time just before %s", f, first.ID, began.UTC())
			}
			late := b.open(t)
			if f := late.mustNext(t); f.Event == "ready" {
				if field(t, f, "live") != false {
					t.Errorf("a stream that is opened meanwhile begins with %+v, want live false", f)
				}
				late.nextStatus(t, "degraded")
			} else if f.Event != "overloaded" {
				t.Errorf("a stream that is opened meanwhile begins with %+v", f)
			}
			outage.end(t, b, gate)
			if outage.lossy {
				w.nextStatus(t, "resync")
			}
			w.nextStatus(t, "live")
			waittest.Until(t, "a message is published", func() bool {
				m := feedtest.Message(b.tenant, 2)
				return b.feed.Publish(t.Context(), b.tenant, m) == nil
			})
			if f := w.mustNext(t); f.Event != "order_paid" {
				t.Errorf("the live stream goes on with %+v, want an order", f)
			}
		})
	}
}

// TestLiveComesAfterWhatWasMissed publishes an order while the gateway receives nothing.
func TestLiveComesAfterWhatWasMissed(t *testing.T) {
	t.Parallel()
	var gate *feedtest.Gate
	b := setup(t, func(c *gateway.Config) {
		gate = feedtest.NewGate(t, strings.TrimPrefix(c.Feed.URL, "redis://"))
		c.Feed.URL = "redis://" + gate.Addr
		c.Logs.CompareEvery = duration.Seconds(time.Hour)
	})
	direct := feedtest.Open(t, feedtest.Config("redis://"+b.redis.Addr()))
	w := b.open(t)
	w.nextStatus(t, "ready")
	gate.Shut(true)
	w.nextStatus(t, "degraded")
	m := feedtest.Message(b.tenant, 1)
	if err := direct.Publish(t.Context(), b.tenant, m); err != nil {
		t.Fatal(err)
	}
	gate.Shut(false)
	if f := w.mustNextOfAll(t); f.ID != m.ID {
		t.Errorf("after the outage comes %+v, want the order %s", f, m.ID)
	}
	w.nextStatus(t, "live")
	back := b.open(t, "Last-Event-ID", m.ID)
	if f := back.nextStatus(t, "ready"); field(t, f, "live") != true || field(t, f, "resumed") != true {
		t.Errorf("afterwards a stream begins with %+v, want a live one", f)
	}
}

func TestAClientMayAskForAHeartbeat(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for asked, want := range map[string]time.Duration{
		"": 25 * time.Second, "?heartbeat=2": 2 * time.Second, "?heartbeat=1": 2 * time.Second, "?heartbeat=3600": 25 * time.Second,
	} {
		c := b.do(t, b.request(t, t.Context(), "/api/sse/notifications"+asked,
			"Accept", "text/event-stream", "Authorization", "Bearer "+b.token(t, "u-1")))
		if f := c.nextStatus(t, "ready"); field(t, f, "heartbeat_ms") != float64(want.Milliseconds()) {
			t.Errorf("%q is answered with %s, want a heartbeat of %s", asked, f.Data, want)
		}
		if want > 2*time.Second {
			continue
		}
		for range 3 {
			began := time.Now()
			line, err := c.lines.ReadString('\n')
			if took := time.Since(began); err != nil || line != ":\n" || took > soon {
				t.Errorf("%q: %q after %s (%v), want a heartbeat", asked, line, took, err)
			}
		}
	}
	for _, bad := range []string{"0", "-1", "3601", "1.5", "x", "", "2&heartbeat=2"} {
		c := b.do(t, b.request(t, t.Context(), "/api/sse/notifications?heartbeat="+bad, "Authorization", "Bearer "+b.token(t, "u-1")))
		if c.StatusCode != 400 {
			t.Errorf("heartbeat %s: %d, want 400", strconv.Quote(bad), c.StatusCode)
		}
	}
}
