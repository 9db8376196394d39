// Package feedtest is the conformance suite of the feed. Every kind of Redis that Orderbell uses must pass it: the embedded one, a
// real server and a cluster.
package feedtest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"orderbell/internal/dev/waittest"
	"orderbell/internal/duration"
	"orderbell/internal/event"
	"orderbell/internal/feed"
	"orderbell/internal/feed/message"
	"orderbell/internal/order"
)

// Config returns a configuration for the Redis at url.
func Config(url string) feed.Config {
	return feed.Config{URL: url, ReplayTTL: duration.Seconds(15 * time.Minute), ReplayMax: 4096, ReplayBytes: 8 << 20, Sharded: "auto"}
}

// Open returns a feed that is closed with the test.
func Open(tb testing.TB, cfg feed.Config) *feed.Feed {
	tb.Helper()
	f, err := feed.Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Close() })
	return f
}

// Tenant returns a tenant that no other test uses.
func Tenant() string { return "t-" + uuid.NewString() }

// Message returns a new message of the tenant: order number n paid, for the recipients.
func Message(tenantID string, n int, to ...event.Recipient) message.Message {
	e := event.Event{
		ID: uuid.Must(uuid.NewV7()).String(), Type: event.OrderPaid,
		Data: event.Data{
			OrderID: uuid.NewString(), TenantID: tenantID, Status: order.Paid, Reference: fmt.Sprintf("A-%d", n),
			TotalAmount: int64(n), Currency: "IDR", Version: 2, Timestamp: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC),
		},
	}
	m, err := message.New(e, to)
	if err != nil {
		panic(err) // such data always encodes
	}
	return m
}

// Refer returns m with another reference in its data.
func Refer(m message.Message, reference string) message.Message {
	return with(m, func(data *event.Data) { data.Reference = reference })
}

// At returns m with another time in its data.
func At(m message.Message, at time.Time) message.Message {
	return with(m, func(data *event.Data) { data.Timestamp = at })
}

func with(m message.Message, change func(*event.Data)) message.Message {
	var data event.Data
	err := json.Unmarshal(m.Data, &data)
	change(&data)
	if err == nil {
		m.Data, err = json.Marshal(data)
	}
	if err != nil {
		panic(err) // Message makes data of the contract
	}
	return m
}

// Heard is one call of a [Sink].
type Heard struct {
	TenantID  string
	Confirmed bool
	Published message.Published
}

// Sink passes on its calls.
type Sink struct {
	C        chan Heard
	Losses   chan Loss
	Promises chan Promise
}

// Loss is a call of [Sink.Lost].
type Loss struct {
	TenantID string
	Since    time.Time
}

// Published implements [feed.Sink].
func (s Sink) Published(tenantID string, p message.Published) {
	s.C <- Heard{TenantID: tenantID, Published: p}
}

// Confirmed implements [feed.Sink].
func (s Sink) Confirmed(tenantID string) { s.C <- Heard{TenantID: tenantID, Confirmed: true} }

// Lost implements [feed.Sink].
func (s Sink) Lost(tenantID string, since time.Time) { s.Losses <- Loss{tenantID, since} }

// Next returns the next call.
func (s Sink) Next(tb testing.TB) Heard {
	tb.Helper()
	select {
	case h := <-s.C:
		return h
	case <-time.After(waittest.Patience):
		tb.Fatal("the sink received nothing")
		return Heard{}
	}
}

// Run starts following with f until the test ends.
func Run(tb testing.TB, f *feed.Feed) Sink {
	tb.Helper()
	s := Sink{make(chan Heard, 100_000), make(chan Loss, 1000), make(chan Promise, 1000)} // never block the reader
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx, s) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	return s
}

func publish(tb testing.TB, f *feed.Feed, tenant string, messages ...message.Message) {
	tb.Helper()
	for _, m := range messages {
		if err := f.Publish(tb.Context(), tenant, m); err != nil {
			tb.Fatal(err)
		}
	}
}

func batch(tenant string, n int) []message.Message {
	messages := make([]message.Message, n)
	for i := range messages {
		messages[i] = Message(tenant, i)
	}
	return messages
}

// Suite runs the suite against the Redis at url.
func Suite(t *testing.T, url string) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, string){
		"a repeated event is published once":                           repeated,
		"what was published is read in order, as a chain":              chain,
		"recent messages are the newest":                               recent,
		"a message comes back as it was":                               fidelity,
		"followers hear a tenant's messages in order":                  follow,
		"concurrent publishers make one chain":                         concurrent,
		"after an unfollow nothing is received, until the next follow": unfollow,
		"tenants do not receive each other's messages":                 isolation,
		"the ring is bounded":                                          ring,
		"the ring is bounded in bytes, too":                            heavy,
		"tails of many tenants come together":                          tails,
		"an audit reports which events exist":                          presence,
		"a ticket is redeemed once":                                    tickets,
		"a probe goes through Redis and back":                          probe,
		"a probe fails at its deadline":                                probeTimeout,
		"a tenant's name that breaks the keys is refused":              badTenant,
		"an unknown event has no place":                                unknown,
		"a tenant without events has a zero tail":                      empty,
		"reading continues after the last page":                        pages,
		"following twice is one subscription":                          followTwice,
		"Run may be called once":                                       runTwice,
		"the mark says where an event is":                              lookup,
		"revocations are announced, and kept until they end":           revocations,
		"a revocation of nothing is refused":                           badRevocations,
		"a hint is heard by another client":                            hints,
		"a commit is heard where its tenant is followed":               commits,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, url)
		})
	}
}

func repeated(t *testing.T, url string) {
	f, tenant := Open(t, Config(url)), Tenant()
	m := Message(tenant, 1)
	publish(t, f, tenant, m, m, m)
	got, _, err := f.Read(t.Context(), tenant, message.Position{}, 10)
	if err != nil || len(got) != 1 {
		t.Fatalf("read %d messages, %v; want 1", len(got), err)
	}
}

func chain(t *testing.T, url string) {
	f, tenant := Open(t, Config(url)), Tenant()
	want := batch(tenant, 50)
	publish(t, f, tenant, want...)
	got, tail, err := f.Read(t.Context(), tenant, message.Position{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	checkChain(t, message.Position{}, want, got)
	if diff := cmp.Diff(message.Tail{At: got[49].At, EventID: want[49].ID}, tail); diff != "" {
		t.Errorf("tail (-want +got):\n%s", diff)
	}
}

func checkChain(t *testing.T, prev message.Position, want []message.Message, got []message.Published) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d messages, want %d", len(got), len(want))
	}
	for i, p := range got {
		if p.Err != nil || p.Prev != prev || p.At.Compare(prev) <= 0 {
			t.Fatalf("message %d: %s after %s, %v; want one after %s", i, p.At, p.Prev, p.Err, prev)
		}
		if diff := cmp.Diff(want[i], p.Message); diff != "" {
			t.Fatalf("message %d (-want +got):\n%s", i, diff)
		}
		prev = p.At
	}
}

func recent(t *testing.T, url string) {
	f, tenant := Open(t, Config(url)), Tenant()
	want := batch(tenant, 20)
	publish(t, f, tenant, want...)
	got, tail, err := f.Recent(t.Context(), tenant, 5)
	if err != nil || len(got) != 5 {
		t.Fatalf("got %d messages, %v; want 5", len(got), err)
	}
	checkChain(t, got[0].Prev, want[15:], got)
	if tail.EventID != want[19].ID {
		t.Errorf("tail is %v, want event %s", tail, want[19].ID)
	}
}

func pages(t *testing.T, url string) {
	f, tenant := Open(t, Config(url)), Tenant()
	want := batch(tenant, 25)
	publish(t, f, tenant, want...)
	var got []message.Published
	var after message.Position
	for {
		page, _, err := f.Read(t.Context(), tenant, after, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		after = page[len(page)-1].At
	}
	checkChain(t, message.Position{}, want, got)
}

func fidelity(t *testing.T, url string) {
	f, tenant := Open(t, Config(url)), Tenant()
	s := Run(t, f)
	f.Follow(tenant)
	s.Next(t)
	m := Message(tenant, 1, event.Recipient{UserID: "u 1", NotificationID: "n-1"})
	m = Refer(m, "a b  c\u2028d\"e\\f<&>'é😀 %s {x}")
	m.TraceParent, m.TraceState, m.Cold = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "vendor=1", true
	publish(t, f, tenant, m)
	checkChain(t, message.Position{}, []message.Message{m}, []message.Published{s.Next(t).Published})
	read, _, err := f.Read(t.Context(), tenant, message.Position{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	checkChain(t, message.Position{}, []message.Message{m}, read)
}

func follow(t *testing.T, url string) {
	f, tenant := Open(t, Config(url)), Tenant()
	s := Run(t, f)
	f.Follow(tenant)
	if h := s.Next(t); !h.Confirmed || h.TenantID != tenant {
		t.Fatalf("heard %+v first, want the confirmation", h)
	}
	want := batch(tenant, 100)
	publish(t, f, tenant, want...)
	got := make([]message.Published, len(want))
	for i := range got {
		got[i] = s.Next(t).Published
	}
	checkChain(t, message.Position{}, want, got)
}

func concurrent(t *testing.T, url string) {
	f, tenant := Open(t, Config(url)), Tenant()
	s := Run(t, f)
	f.Follow(tenant)
	s.Next(t)
	const publishers, each = 8, 50
	var wait sync.WaitGroup
	for range publishers {
		wait.Go(func() {
			for _, m := range batch(tenant, each) {
				if err := f.Publish(t.Context(), tenant, m); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	var prev message.Position
	seen := map[string]bool{}
	for range publishers * each {
		p := s.Next(t).Published
		if p.Prev != prev {
			t.Fatalf("%s comes after %s, want %s", p.At, p.Prev, prev)
		}
		prev, seen[p.Message.ID] = p.At, true
	}
	if len(seen) != publishers*each {
		t.Errorf("heard %d events, want %d", len(seen), publishers*each)
	}
}

func unfollow(t *testing.T, url string) {
	f, tenant, other := Open(t, Config(url)), Tenant(), Tenant()
	s := Run(t, f)
	f.Follow(tenant)
	s.Next(t)
	f.Unfollow(tenant)
	f.Follow(other) // its confirmation comes after the end of the other subscription
	if h := s.Next(t); h.TenantID != other {
		t.Fatalf("heard %+v, want the confirmation of %s", h, other)
	}
	for range 20 {
		f.Follow(tenant)
		f.Unfollow(tenant)
	}
	f.Follow(tenant)
	m := Message(tenant, 2)
	confirmed := false
	for h := range s.until(t) {
		if h.Confirmed && h.TenantID == tenant && !confirmed {
			confirmed = true
			publish(t, f, tenant, m)
		}
		if h.Published.Message.ID == m.ID {
			return
		}
	}
	t.Fatal("the tenant that is followed again receives nothing")
}

// until yields the calls until [waittest.Patience] is over.
func (s Sink) until(tb testing.TB) func(func(Heard) bool) {
	tb.Helper()
	over := time.After(waittest.Patience)
	return func(yield func(Heard) bool) {
		for {
			select {
			case h := <-s.C:
				if !yield(h) {
					return
				}
			case <-over:
				return
			}
		}
	}
}

func isolation(t *testing.T, url string) {
	f, a, b := Open(t, Config(url)), Tenant(), Tenant()
	s := Run(t, f)
	f.Follow(a)
	s.Next(t)
	publish(t, f, b, Message(b, 1))
	m := Message(a, 2)
	publish(t, f, a, m)
	if h := s.Next(t); h.TenantID != a || h.Published.Message.ID != m.ID {
		t.Errorf("heard %+v, want event %s of %s", h, m.ID, a)
	}
}
