package tenantlog_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"orderbell/internal/dev/waittest"
	"orderbell/internal/duration"
	"orderbell/internal/event"
	"orderbell/internal/feed"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/tenantlog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bundle is some logs on a Redis stand-in that has passed the feed's suite.
type bundle struct {
	logs   *tenantlog.Logs
	redis  *miniredis.Miniredis
	feed   *feed.Feed // publishes and is followed
	lossy  *feed.Feed // publishes, but its pub/sub messages get lost
	tenant string
}

func setup(t *testing.T, change ...func(*tenantlog.Config)) *bundle {
	t.Helper()
	return setupOn(t, func(f *feed.Feed) tenantlog.Stream { return f }, change...)
}

// setupOn returns logs that read the stream that the function stream returns for the feed.
func setupOn(t *testing.T, stream func(*feed.Feed) tenantlog.Stream, change ...func(*tenantlog.Config)) *bundle {
	t.Helper()
	b := &bundle{redis: miniredis.RunT(t), tenant: feedtest.Tenant()}
	cfg := feedtest.Config("redis://" + b.redis.Addr())
	b.feed = feedtest.Open(t, cfg)
	cfg.Sharded = "on" // the stand-in has none: the script fails at its last line
	b.lossy = feedtest.Open(t, cfg)
	logsConfig := tenantlog.Config{
		MaxBytes: 4 << 20, MaxEvents: 8192, Linger: duration.Seconds(time.Minute),
		CompareEvery: duration.Seconds(time.Hour), SnapshotURL: "/snapshot",
	}
	for _, f := range change {
		f(&logsConfig)
	}
	logs, err := tenantlog.New(logsConfig, stream(b.feed), slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	b.logs = logs
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { logs.Run(ctx) })
	running.Go(func() {
		if err := b.feed.Run(ctx, logs); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return b
}

func (b *bundle) acquire(t *testing.T) *tenantlog.Log {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waittest.Patience)
	defer cancel()
	log, err := b.logs.Acquire(ctx, b.tenant, 0)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func (b *bundle) publish(t *testing.T, n int, to ...event.Recipient) message.Message {
	t.Helper()
	m := feedtest.Message(b.tenant, n, to...)
	if err := b.feed.Publish(t.Context(), b.tenant, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// lose publishes a message that pub/sub loses.
func (b *bundle) lose(t *testing.T, n int) message.Message {
	t.Helper()
	m := feedtest.Message(b.tenant, n)
	if err := b.lossy.Publish(t.Context(), b.tenant, m); err == nil {
		t.Fatal("the message was not lost")
	}
	return m
}

// reader reads a log as a subscriber does.
type reader struct {
	log    *tenantlog.Log
	cursor uint64
	user   string
	grown  chan struct{}
}

func (r *reader) Wake(*tenantlog.Log) {
	select {
	case r.grown <- struct{}{}:
	default:
	}
}

func read(t *testing.T, log *tenantlog.Log, cursor uint64, user string) *reader {
	t.Helper()
	r := &reader{log: log, cursor: cursor, user: user, grown: make(chan struct{}, 1)}
	log.Watch(r)
	t.Cleanup(func() { log.Unwatch(r) })
	return r
}

// names returns the event names and ids of the next frames, until there are n of them.
func (r *reader) names(t *testing.T, n int) []string {
	t.Helper()
	var names []string
	over := time.After(waittest.Patience)
	for len(names) < n {
		b, ok := r.log.Batch(r.cursor, 1<<20)
		if !ok {
			t.Fatal("fell off the tail")
		}
		if b.Empty() {
			select {
			case <-r.grown:
				continue
			case <-over:
				t.Fatalf("got %q, want %d frames", names, n)
			}
		}
		r.cursor = b.To
		for frame := range strings.SplitSeq(strings.TrimSuffix(string(b.Plain(nil, r.user)), "\n\n"), "\n\n") {
			lines := strings.SplitN(frame, "\n", 3)
			names = append(names, strings.TrimPrefix(lines[1], "event: ")+" "+strings.TrimPrefix(lines[0], "id: "))
		}
	}
	return names
}

func TestAColdLogHoldsWhatTheStreamHolds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, second := b.publish(t, 1), b.publish(t, 2)
	log := b.acquire(t)
	joined := log.Join(tenantlog.StartID)
	if joined.Resync != "" || joined.Resumed { // an earlier Redis may have had other events
		t.Fatalf("joined %+v, want the beginning, and not to be told that this is all", joined)
	}
	third := b.publish(t, 3)
	want := []string{"order_paid " + first.ID, "order_paid " + second.ID, "order_paid " + third.ID}
	if diff := cmp.Diff(want, read(t, log, joined.Cursor, "u").names(t, 3)); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.acquire(t).Join("")
	first, second := b.publish(t, 1), b.publish(t, 2, event.Recipient{UserID: "u", NotificationID: "n"})
	log := b.acquire(t)
	read(t, log, before.Cursor, "").names(t, 2)
	for name, c := range map[string]struct {
		id   string
		want tenantlog.Joined
	}{
		"a new client begins at the end":         {"", tenantlog.Joined{Cursor: 3, ID: second.ID}},
		"after the first":                        {first.ID, tenantlog.Joined{Cursor: 2, ID: first.ID, Resumed: true}},
		"after the last":                         {second.ID, tenantlog.Joined{Cursor: 3, ID: second.ID, Resumed: true}},
		"after a notification, so its event":     {second.ID + ".n", tenantlog.Joined{Cursor: 2, ID: second.ID + ".n", Resumed: true}},
		"from the beginning":                     {"0", tenantlog.Joined{Cursor: 1, ID: "0"}},
		"an unknown id":                          {uuid.NewString(), tenantlog.Joined{Cursor: 3, ID: "0", Resync: tenantlog.UnknownID, Tail: second.ID}},
		"no id at all":                           {"\x00 é\n", tenantlog.Joined{Cursor: 3, ID: "0", Resync: tenantlog.UnknownID, Tail: second.ID}},
		"a suffix alone":                         {".n", tenantlog.Joined{Cursor: 3, ID: "0", Resync: tenantlog.UnknownID, Tail: second.ID}},
		"an enormous id":                         {strings.Repeat("x", 10_000), tenantlog.Joined{Cursor: 3, ID: "0", Resync: tenantlog.UnknownID, Tail: second.ID}},
		"the beginning with a suffix is invalid": {"0.n", tenantlog.Joined{Cursor: 3, ID: "0", Resync: tenantlog.UnknownID, Tail: second.ID}},
	} {
		if diff := cmp.Diff(c.want, log.Join(c.id)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if before.ID != "0" {
		t.Errorf("before the first event the id is %q, want 0", before.ID)
	}
}

func TestALostMessageIsReadFromTheStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	log := b.acquire(t)
	r := read(t, log, log.Join("").Cursor, "")
	want := []string{"order_paid " + b.publish(t, 1).ID, "order_paid " + b.lose(t, 2).ID, "order_paid " + b.lose(t, 3).ID, "order_paid " + b.publish(t, 4).ID}
	if diff := cmp.Diff(want, r.names(t, 4)); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
	if got := b.logs.Counts.EntriesRead.Load(); got < 2 {
		t.Errorf("%d entries were read from the stream, want 2 or more", got)
	}
}

func TestTheLastMessageOfAllIsFoundByComparing(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tenantlog.Config) { c.CompareEvery = duration.Seconds(time.Second) })
	log := b.acquire(t)
	r := read(t, log, log.Join("").Cursor, "")
	want := []string{"order_paid " + b.lose(t, 1).ID}
	if diff := cmp.Diff(want, r.names(t, 1)); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}

func TestAHoleLongerThanAPageIsReadWhole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	log := b.acquire(t)
	r := read(t, log, log.Join("").Cursor, "")
	var want []string
	for i := range 1300 {
		want = append(want, "order_paid "+b.lose(t, i).ID)
	}
	want = append(want, "order_paid "+b.publish(t, 1300).ID)
	if diff := cmp.Diff(want, r.names(t, len(want))); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}

func TestAStreamThatLostItsMemoryBecomesAResync(t *testing.T) {
	t.Parallel()
	for name, compare := range map[string]bool{"with the next message": false, "without a message": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(c *tenantlog.Config) {
				if compare {
					c.CompareEvery = duration.Seconds(time.Second)
				}
			})
			log := b.acquire(t)
			r := read(t, log, log.Join("").Cursor, "")
			first := b.publish(t, 1)
			r.names(t, 1)
			b.redis.FlushAll()
			b.redis.SetTime(time.Now().Add(time.Second))
			want := []string{"resync " + first.ID}
			if !compare {
				want = append(want, "order_paid "+b.publish(t, 2).ID)
			}
			if diff := cmp.Diff(want, r.names(t, len(want))); diff != "" {
				t.Errorf("frames (-want +got):\n%s", diff)
			}
			after := b.publish(t, 3)
			if diff := cmp.Diff([]string{"order_paid " + after.ID}, r.names(t, 1)); diff != "" {
				t.Errorf("the log does not continue (-want +got):\n%s", diff)
			}
			// A client that has seen only the first event gets the resync again.
			if again := log.Join(first.ID); again.Cursor != 2 || !again.Resumed {
				t.Errorf("joined %+v after the first event, want cursor 2", again)
			}
		})
	}
}

func TestAPromotedReplicaThatLacksTheEndBecomesAResync(t *testing.T) {
	t.Parallel()
	b := setup(t)
	log := b.acquire(t)
	r := read(t, log, log.Join("").Cursor, "")
	first := b.publish(t, 1)
	stream, tail := "orders:{"+b.tenant+"}:stream", "orders:{"+b.tenant+"}:tail"
	old, err := b.redis.Get(tail)
	if err != nil {
		t.Fatal(err)
	}
	second := b.publish(t, 2)
	r.names(t, 2)
	at, _, err := b.feed.Lookup(t.Context(), b.tenant, second.ID)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := b.redis.Stream(stream)
	if err != nil {
		t.Fatal(err)
	}
	b.redis.Del(stream)
	if _, err := b.redis.XAdd(stream, entries[0].ID, entries[0].Values); err != nil {
		t.Fatal(err)
	}
	if err := b.redis.Set(tail, old); err != nil {
		t.Fatal(err)
	}
	b.redis.SetTime(time.Now().Add(time.Second))
	third := b.publish(t, 3) // after the first: the second is lost
	if diff := cmp.Diff([]string{"resync " + second.ID, "order_paid " + third.ID}, r.names(t, 2)); diff != "" {
		t.Errorf("frames after %s was lost (-want +got):\n%s", at, diff)
	}
	if log.Join(first.ID).Cursor != 2 {
		t.Error("the first event is no longer known")
	}
}

func TestTheNightBetweenTwoOrdersIsNoLoss(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tenantlog.Config) { c.CompareEvery = duration.Seconds(time.Second) })
	log := b.acquire(t)
	r := read(t, log, log.Join("").Cursor, "")
	evening := b.publish(t, 1)
	r.names(t, 1)
	b.redis.FastForward(time.Hour) // the stream and the mark expire
	morning := b.publish(t, 2)
	if diff := cmp.Diff([]string{"order_paid " + morning.ID}, r.names(t, 1)); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
	other := setupSecond(t, b)
	if joined := other.Join(evening.ID); !joined.Resumed {
		t.Errorf("another instance joins %+v after the evening's event, want it resumed", joined)
	}
}

// setupSecond returns the log of another instance on the same Redis.
func setupSecond(t *testing.T, b *bundle) *tenantlog.Log {
	t.Helper()
	second := &bundle{redis: b.redis, tenant: b.tenant, feed: feedtest.Open(t, feedtest.Config("redis://"+b.redis.Addr()))}
	logs, err := tenantlog.New(tenantlog.Config{MaxBytes: 1 << 20, MaxEvents: 100, CompareEvery: duration.Seconds(time.Hour)},
		second.feed, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	second.logs = logs
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { logs.Run(ctx) })
	running.Go(func() { _ = second.feed.Run(ctx, logs) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return second.acquire(t)
}

func TestAnUnreadableEntryBecomesAResync(t *testing.T) {
	t.Parallel()
	b := setup(t)
	log := b.acquire(t)
	r := read(t, log, log.Join("").Cursor, "")
	first := b.publish(t, 1)
	r.names(t, 1)
	at, _, err := b.feed.Lookup(t.Context(), b.tenant, first.ID)
	if err != nil {
		t.Fatal(err)
	}
	channel := "orders:{" + b.tenant + "}"
	b.redis.Publish(channel, fmt.Sprintf("%s %s not JSON", at, at.Next()))
	if diff := cmp.Diff([]string{"resync " + first.ID}, r.names(t, 1)); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}
