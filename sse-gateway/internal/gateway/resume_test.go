package gateway_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sse "github.com/r3labs/sse/v2"
	"gopkg.in/cenkalti/backoff.v1"

	"orderbell/internal/duration"
	"orderbell/internal/event"
	"orderbell/internal/feed/feedtest"
	"orderbell/sse-gateway/internal/gateway"
)

// follower is a client that keeps the rules of the contract: it remembers ids and reconnects whenever a stream ends.
type follower struct {
	lastEventID string
	amounts     []int64 // of the orders it was shown, which the tests count up
	resyncs     int
	streams     int
}

// follow reads until it has seen the order with the last amount. cut says when it leaves a stream by itself.
func (v *follower) follow(t *testing.T, b *bundle, last int64, cut func() bool) {
	t.Helper()
	deadline := time.Now().Add(5 * patience)
	for time.Now().Before(deadline) {
		ctx, cancel := context.WithCancel(t.Context())
		r := b.request(t, ctx, "/api/sse/notifications", "Accept", "text/event-stream", "Authorization", "Bearer "+b.token(t, "u"))
		if v.lastEventID != "" {
			r.Header.Set("Last-Event-ID", v.lastEventID)
		}
		v.streams++
		done := v.read(b.do(t, r), last, cut)
		cancel()
		if done {
			return
		}
	}
	t.Errorf("saw %d orders of %d in %d streams", len(v.amounts), last, v.streams)
}

func (v *follower) read(c *client, last int64, cut func() bool) bool {
	defer c.Body.Close() //nolint:errcheck // it is read to its end or left
	for {
		f, err := c.next()
		if err != nil {
			return false
		}
		if f.ID != "" {
			v.lastEventID = f.ID
		}
		switch f.Event {
		case "resync":
			v.resyncs++
		case "order_paid":
			_, rest, _ := strings.Cut(f.Data, `"total_amount":`)
			number, _, _ := strings.Cut(rest, ",")
			amount, _ := strconv.ParseInt(number, 10, 64)
			v.amounts = append(v.amounts, amount)
			if amount == last {
				return true
			}
		}
		if cut() {
			return false
		}
	}
}

func upTo(n int64) []int64 {
	all := make([]int64, n)
	for i := range all {
		all[i] = int64(i) + 1
	}
	return all
}

func TestJoiningAndLeavingWhileOrdersComeIn(t *testing.T) {
	t.Parallel()
	const orders, followers = 2000, 12
	b := setup(t)
	var wait sync.WaitGroup
	for range followers {
		wait.Go(func() {
			v := &follower{lastEventID: "0"} // from the beginning
			v.follow(t, b, orders, func() bool { return rand.IntN(150) == 0 })
			if diff := cmp.Diff(upTo(orders), v.amounts); diff != "" {
				t.Errorf("in %d streams (-want +got):\n%s", v.streams, diff)
			}
		})
	}
	for i := range orders {
		b.publish(t, i+1)
	}
	wait.Wait()
}

// TestLossOnTheWay loses a part of the messages between Redis and the gateway, and the connection too.
func TestLossOnTheWay(t *testing.T) {
	t.Parallel()
	const orders = 500
	b := setup(t)
	cfg := b.cfg.Feed
	cfg.Sharded = "on" // the stand-in has none: its script ends after the stream's entry
	lossy := feedtest.Open(t, cfg)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			v := &follower{lastEventID: "0"}
			v.follow(t, b, orders, func() bool { return false })
			if diff := cmp.Diff(upTo(orders), v.amounts); diff != "" || v.resyncs > 0 {
				t.Errorf("with %d resyncs (-want +got):\n%s", v.resyncs, diff)
			}
		})
	}
	for i := range orders {
		switch {
		case i%7 == 3:
			_ = lossy.Publish(t.Context(), b.tenant, feedtest.Message(b.tenant, i+1))
		case i == orders/2:
			b.redis.Close()
			if err := b.redis.Restart(); err != nil {
				t.Fatal(err)
			}
			fallthrough
		default:
			b.publish(t, i+1)
		}
	}
	wait.Wait()
}

func TestResumingAcrossARestart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.open(t)
	c.mustNext(t)
	seen := b.publish(t, 1)
	c.mustNext(t)
	b.stop()
	missed := b.publish(t, 2)
	b.start(t)
	c = b.open(t, "Last-Event-ID", seen.ID)
	if f := c.mustNext(t); f.Event != "ready" || f.ID != seen.ID || !strings.Contains(f.Data, `"resumed":true`) {
		t.Errorf("after the restart: %+v, want ready, resumed after %s", f, seen.ID)
	}
	if f := c.mustNext(t); f.ID != missed.ID {
		t.Errorf("then %+v, want what was missed", f)
	}
}

func TestAFlushOfRedisReachesEveryClient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	clients := []*client{b.open(t), b.openAs(t, "other")}
	before := b.publish(t, 1)
	for _, c := range clients {
		c.mustNext(t)
		c.mustNext(t)
	}
	b.redis.FlushAll()
	for _, c := range clients {
		if f := c.mustNext(t); f.Event != "resync" || f.ID != before.ID || !strings.Contains(f.Data, `"stream_lost"`) {
			t.Errorf("after the flush: %+v, want a resync", f)
		}
	}
	after := b.publish(t, 2)
	for _, c := range clients {
		if f := c.mustNext(t); f.ID != after.ID {
			t.Errorf("then %+v, want the stream to go on", f)
		}
	}
}

// TestARollingRestart has two gateways behind one address restarted in turn, while clients that keep the contract's
// rules watch: nothing is lost and nothing is shown twice.
func TestARollingRestart(t *testing.T) {
	t.Parallel()
	const followers = 10
	b := setup(t)
	type instance struct {
		*gateway.Gateway
		draining atomic.Bool
	}
	begin := func() *instance {
		g, err := start(t, b.cfg)
		if err != nil {
			t.Error(err)
			return nil
		}
		return &instance{Gateway: g}
	}
	instances := []*instance{begin(), begin()}
	var mu sync.Mutex
	var turn int
	everyone := make(chan struct{})
	b.server.Close()
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if turn++; turn == followers {
			close(everyone)
		}
		chosen := instances[turn%2]
		if chosen.draining.Load() { // it is no longer ready
			chosen = instances[(turn+1)%2]
		}
		mu.Unlock()
		chosen.ServeHTTP(w, r)
	}))
	var orders atomic.Int64
	stop := make(chan struct{})
	published := make(chan struct{})
	go func() {
		defer close(published)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				b.publish(t, int(orders.Add(1)))
			}
		}
	}()
	var last atomic.Int64
	var wait sync.WaitGroup
	views := make([]*follower, followers)
	for i := range views {
		views[i] = &follower{lastEventID: "0"}
		wait.Go(func() {
			views[i].follow(t, b, 1_000_000, func() bool { return last.Load() != 0 && int64(len(views[i].amounts)) >= last.Load() })
		})
	}
	<-everyone
	for round := range 4 {
		old := instances[round%2]
		old.draining.Store(true)
		old.Drain(t.Context())
		old.Close()
		next := begin()
		mu.Lock()
		instances[round%2] = next
		mu.Unlock()
	}
	close(stop)
	<-published
	last.Store(orders.Load() + 1)
	b.publish(t, 1_000_000) // ends the followers
	wait.Wait()
	for _, g := range instances {
		g.Close()
	}
	for _, v := range views {
		if diff := cmp.Diff(append(upTo(orders.Load()), 1_000_000), v.amounts); diff != "" || v.resyncs > 0 {
			t.Errorf("in %d streams with %d resyncs (-want +got):\n%s", v.streams, v.resyncs, diff)
		}
		if v.streams < 2 {
			t.Errorf("a follower had %d streams, want the restarts to have moved it", v.streams)
		}
	}
}

// TestTheClientOfR3labs watches across a drain with the client library of the command line.
func TestTheClientOfR3labs(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *gateway.Config) { c.Fanout.Heartbeat = duration.Seconds(time.Second) })
	var current atomic.Pointer[gateway.Gateway]
	current.Store(b.gateway)
	b.server.Close()
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { current.Load().ServeHTTP(w, r) }))
	c := sse.NewClient(b.server.URL+"/api/sse/notifications", sse.ClientMaxBufferSize(1<<20))
	c.Headers["Authorization"] = "Bearer " + b.token(t, "u")
	c.ReconnectStrategy = &backoff.ConstantBackOff{Interval: 10 * time.Millisecond}
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan string, 1000)
	done := make(chan error, 1)
	go func() {
		done <- c.SubscribeRawWithContext(ctx, func(m *sse.Event) {
			if len(m.Data) > 0 { // it reports a heartbeat, and a frame with only retry, as events without data
				got <- fmt.Sprintf("%s %s", m.Event, m.ID)
			}
		})
	}()
	next := func() string {
		t.Helper()
		select {
		case s := <-got:
			return s
		case <-time.After(patience):
			t.Fatal("the client receives nothing")
			return ""
		}
	}
	if s := next(); s != "ready 0" {
		t.Errorf("it first receives %q, want ready", s)
	}
	m := b.publish(t, 1, event.Recipient{UserID: "u", NotificationID: "n"})
	if a, b := next(), next(); a != "notification "+m.ID+".n" || b != "order_paid "+m.ID {
		t.Errorf("then %q and %q, want the notification and the event", a, b)
	}
	old := b.gateway
	next2, err := start(t, b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	current.Store(next2)
	old.Drain(t.Context())
	if s := next(); s != "ready "+m.ID {
		t.Errorf("after the drain it receives %q, want ready after the last event", s)
	}
	m = b.publish(t, 2)
	if s := next(); s != "order_paid "+m.ID {
		t.Errorf("then %q, want the next event", s)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	next2.Close()
}
