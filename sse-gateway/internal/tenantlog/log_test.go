package tenantlog_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httputil"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"orderbell/internal/event"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/tenantlog"
	"orderbell/sse-gateway/internal/tenantlog/tenantlogtest"
)

func TestApply(t *testing.T) {
	t.Parallel()
	log := tenantlogtest.Local(t, 1<<20, 1000)
	first, third := tenantlogtest.Published(1), tenantlogtest.Published(3)
	for _, c := range []struct {
		name string
		p    message.Published
		want tenantlog.Outcome
	}{
		{"the first", first, tenantlog.Applied},
		{"the first again", first, tenantlog.Duplicate},
		{"the second", tenantlogtest.Published(2), tenantlog.Applied},
		{"the first once more", first, tenantlog.Duplicate},
		{"the fourth before the third", tenantlogtest.Published(4), tenantlog.Gap},
		{"the third", third, tenantlog.Applied},
		{"another event in the third's place", tenantlogtest.Published(3), tenantlog.Gap},
		{"the fourth", tenantlogtest.Published(4), tenantlog.Applied},
		{"one of another history", message.Published{Prev: message.Position{Millis: 1}, At: message.Position{Millis: 3, Seq: 7}}, tenantlog.Gap},
		{"one without a place", message.Published{}, tenantlog.Gap},
	} {
		if got := log.Apply(c.p); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestAnUnfitEventIDNeverReachesAFrame(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "0", "a.n", "a b", "a\nid: b", "a\x00", "é", strings.Repeat("x", 200)} {
		log := tenantlogtest.Local(t, 1<<20, 1000)
		p := tenantlogtest.Published(1)
		p.Message.ID = id
		log.Apply(p)
		b, _ := log.Batch(1, 1<<20)
		if got := string(b.Plain(nil, "")); !strings.HasPrefix(got, "id: 0\nevent: resync\ndata: {\"reason\":\"unreadable\"") {
			t.Errorf("event id %q became %q, want a resync", id, got)
		}
	}
}

func TestWhateverIsWrittenInPiecesIsTheWhole(t *testing.T) {
	t.Parallel()
	users := []string{"", "ann", "bob", "cid"} // few, so that batches have notifications for some of them
	rapid.Check(t, func(rt *rapid.T) {
		log := tenantlogtest.Local(t, 1<<20, 10_000)
		n := rapid.IntRange(1, 40).Draw(rt, "events")
		for i := 1; i <= n; i++ {
			var to []event.Recipient
			for _, user := range users[1:] {
				if rapid.Bool().Draw(rt, "told") {
					to = append(to, event.Recipient{UserID: user, NotificationID: fmt.Sprintf("n-%d-\"%s\"", i, user)})
				}
			}
			p := tenantlogtest.Published(i, to...)
			if rapid.Bool().Draw(rt, "read") {
				p.Message = message.Message{ID: p.Message.ID, Event: message.NotificationRead, Read: &message.Reading{Unread: i}, Recipients: to}
			}
			log.Apply(p)
		}
		user := rapid.SampledFrom(users).Draw(rt, "user")
		whole, _ := log.Batch(1, 1<<20)
		var want []byte
		for b := whole; !b.Empty(); b, _ = log.Batch(b.To, 1<<20) {
			want = b.Plain(want, user)
		}
		var body, scratch []byte
		cursor, rest := uint64(1), 0
		for {
			b, ok := log.Batch(cursor, rapid.IntRange(1, 5000).Draw(rt, "most"))
			if !ok {
				rt.Fatal("fell off the tail")
			}
			if b.Empty() {
				break
			}
			var frames []byte
			frames, scratch = b.Chunked(user, rest, scratch)
			taken := rapid.IntRange(0, len(frames)).Draw(rt, "taken") // as a socket takes it
			body = append(body, frames[:taken]...)
			cursor, rest = b.Advance(user, rest, taken)
		}
		got, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(append(body, "0\r\n\r\n"...))))
		if diff := cmp.Diff(string(want), string(got)); err != nil || diff != "" {
			rt.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	})
}

func TestAReadingIsItsReadersAlone(t *testing.T) {
	t.Parallel()
	log := tenantlogtest.Local(t, 1<<20, 1000)
	log.Apply(tenantlogtest.Published(1))
	read := tenantlogtest.Published(2)
	read.Message = message.Message{
		ID: "read-2", Event: message.NotificationRead, Recipients: []event.Recipient{{UserID: "ann"}},
		Read: &message.Reading{NotificationIDs: []string{"n-1"}, Unread: 4},
	}
	log.Apply(read)
	log.Apply(tenantlogtest.Published(3))
	seen := func(user string) (frames string) {
		b, _ := log.Batch(1, 1<<20)
		return string(b.Plain(nil, user))
	}
	const want = "id: read-2\nevent: notification_read\ndata: {\"notification_ids\":[\"n-1\"],\"all\":false,\"unread\":4}\n\n"
	others := seen("bob")
	if strings.Contains(others, "notification_read") || strings.Count(others, "event: ") != 2 {
		t.Errorf("somebody else sees %s", others)
	}
	middle := strings.Index(others, "\n\n") + 2
	if diff := cmp.Diff(others[:middle]+want+others[middle:], seen("ann")); diff != "" {
		t.Error(diff)
	}
	if got := log.Apply(read); got != tenantlog.Duplicate {
		t.Errorf("the same again is %d, want a duplicate", got)
	}
	if j := log.Join("read-2"); !j.Resumed || j.Cursor != 3 {
		t.Errorf("joining with its id: %+v, want to resume after it", j)
	}
}

func TestALogIsBounded(t *testing.T) {
	t.Parallel()
	const maxBytes, maxEvents = 64 << 10, 100
	for name, size := range map[string]int{"in events": 1, "in bytes": 4000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := tenantlogtest.Local(t, maxBytes, maxEvents)
			var ids []string
			for i := 1; i <= 1000; i++ {
				p := tenantlogtest.Published(i)
				p.Message = feedtest.Refer(p.Message, strings.Repeat("x", size))
				log.Apply(p)
				ids = append(ids, p.Message.ID)
			}
			oldest, end := log.Window()
			if held := end - oldest; held > maxEvents || held < 10 || end != 1001 {
				t.Errorf("the log holds %d events up to %d", held, end)
			}
			if _, ok := log.Batch(oldest-1, 1); ok {
				t.Error("a cursor off the tail is served")
			}
			if _, ok := log.Batch(oldest, 1); !ok {
				t.Error("the oldest cursor is not served")
			}
			// What was dropped last is still known as the base.
			if joined := log.Join(ids[oldest-2]); joined.Cursor != oldest || !joined.Resumed {
				t.Errorf("joined %+v after the last dropped event, want cursor %d", joined, oldest)
			}
			if joined := log.Join(ids[oldest-3]); joined.Resync == "" {
				t.Errorf("joined %+v after an event that is gone, want a resync", joined)
			}
			if joined := log.Join(tenantlog.StartID); joined.Resync == "" {
				t.Errorf("joined %+v at the beginning that is gone, want a resync", joined)
			}
		})
	}
}

// TestJoiningWhileAppending joins readers at random moments, by their last id, while thousands of messages come in:
// each must read a contiguous run of them.
func TestJoiningWhileAppending(t *testing.T) {
	t.Parallel()
	const events, readers = 5000, 8
	log := tenantlogtest.Local(t, 16<<20, 2*events)
	all := make([]message.Published, events)
	number := map[string]int{}
	for i := range all {
		all[i] = tenantlogtest.Published(i + 1)
		number[all[i].Message.ID] = i
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for _, p := range all {
			log.Apply(p)
		}
	})
	for range readers {
		wait.Go(func() {
			last, seen := log.Join("").ID, -1
			if last != tenantlog.StartID {
				seen = number[last]
			}
			for seen < events-1 {
				joined := log.Join(last) // a reconnect
				if !joined.Resumed && last != tenantlog.StartID || joined.Resync != "" {
					t.Errorf("joined %+v after %s", joined, last)
					return
				}
				cursor := joined.Cursor
				for range rand.IntN(20) {
					b, ok := log.Batch(cursor, rand.IntN(2000))
					if !ok {
						t.Error("fell off the tail")
						return
					}
					for line := range strings.SplitSeq(string(b.Plain(nil, "")), "\n") {
						id, is := strings.CutPrefix(line, "id: ")
						if !is {
							continue
						}
						if number[id] != seen+1 {
							t.Errorf("event %d comes after %d", number[id], seen)
							return
						}
						seen, last = number[id], id
					}
					cursor = b.To
				}
			}
		})
	}
	wait.Wait()
}

func TestALogIsCutToTheTenantsLimitAndGrowsAgain(t *testing.T) {
	t.Parallel()
	const usual, chosen = 1 << 20, 64 << 10
	logs := local(t, usual, 16<<20)
	log := tenantlogtest.Acquire(t, logs, "demo")
	for n := range 1000 {
		log.Apply(tenantlogtest.Published(n + 1))
	}
	before := logs.Budget.Logs.Load()
	if oldest, _ := log.Window(); oldest != 1 || before < 4*chosen {
		t.Fatalf("the log begins at %d and holds %d bytes, want 1 and some 300 KB", oldest, before)
	}
	if _, err := logs.Acquire(t.Context(), "demo", chosen); err != nil {
		t.Fatal(err)
	}
	cut, end := log.Window()
	if held := logs.Budget.Logs.Load(); held > 2*chosen || cut == 1 || cut >= end || end != 1001 {
		t.Errorf("the log holds %d bytes from %d to %d, want some %d bytes and the newest", held, cut, end, chosen)
	}
	if _, err := logs.Acquire(t.Context(), "demo", 0); err != nil {
		t.Fatal(err)
	}
	for n := range 1000 {
		log.Apply(tenantlogtest.Published(n + 1001))
	}
	if oldest, _ := log.Window(); oldest != cut {
		t.Errorf("with the usual limit again the log begins at %d, want %d as before", oldest, cut)
	}
}
