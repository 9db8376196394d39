package contract_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"orderbell/internal/dev/embedded"
	"orderbell/internal/dev/programtest"
	"orderbell/internal/event"
	"orderbell/internal/feed"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/feed/message"
)

// The one recipient of the examples, and the ids that the examples have.
const (
	watcher        = "u-1"
	notificationID = "0b0c8f4e-5d53-4f0e-9c54-2a4b0d8f7e11"
	createdID      = "01a20cfd-a840-7a10-8c11-2f0e6a7b4c01"
	readID         = "01a20d01-51b8-7c44-9d13-88d2e3f40504"
)

// stage is a Redis with a feed on it, and what the gateway has to show.
type stage struct {
	gateway  string // the program
	server   *embedded.Redis
	redis    *redis.Client
	feed     *feed.Feed
	events   map[string][]byte
	schemas  frameSchemas
	examples map[string]string
	seen     *sync.Map // the names of examples that were compared
}

func newStage(t *testing.T, gateway string, seen *sync.Map) stage {
	t.Helper()
	server, client := feedtest.InMemory(t)
	return stage{
		gateway: gateway, server: server, redis: client, feed: feedtest.Open(t, feedtest.Config(server.URL())),
		events: golden(t, eventsDir), schemas: readFrameSchemas(t), examples: frameExamples(t), seen: seen,
	}
}

func (s stage) start(t *testing.T, variables ...string) *programtest.Program {
	t.Helper()
	return start(t, s.gateway, append([]string{"REDIS_URL=" + s.server.URL()}, variables...)...)
}

// key is one of the tenant's keys in Redis.
func key(what string) string { return "orders:{" + tenant + "}:" + what }

// publish brings an example's event to the feed. The payment has the examples' recipient.
func (s stage) publish(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		var to []event.Recipient
		if name == string(event.OrderPaid) {
			to = append(to, event.Recipient{UserID: watcher, NotificationID: notificationID})
		}
		if err := s.feed.Publish(t.Context(), tenant, feedMessage(t, s.events, name, to...)); err != nil {
			t.Fatal(err)
		}
	}
}

// sees compares the stream's next frames with the examples, one after the other.
func (s stage) sees(t *testing.T, w *stream, names ...string) {
	t.Helper()
	for _, name := range names {
		example, ok := s.examples[name]
		if !ok {
			t.Fatalf("%s has no example %s.txt", framesDir, name)
		}
		s.seen.Store(name, true)
		for r := bufio.NewReader(strings.NewReader(example)); ; {
			want, err := readFrame(r)
			if err != nil {
				break
			}
			got, err := w.next(want == heartbeat)
			if err != nil {
				t.Fatalf("the stream ended before %q: %q, %v", want, got, err)
			}
			sameFrame(t, want, got)
			if field(got, "data") != "" {
				s.schemas.check(t, got)
			}
		}
	}
}

// stream is an open one.
type stream struct{ lines *bufio.Reader }

// next returns the next frame; heartbeats, which may come at any time, only where one is looked for.
func (w *stream) next(heartbeats bool) (string, error) {
	for {
		frame, err := readFrame(w.lines)
		if err != nil || frame != heartbeat || heartbeats {
			return frame, err
		}
	}
}

// visitor is who opens a stream, and with what.
type visitor struct {
	tenant, user string
	lastEventID  string
	expires      time.Duration // of the token, from now
	query        string        // of the stream's address, with its "?"
}

func open(t *testing.T, p *programtest.Program, v visitor) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience) // streams outlive t.Context(), so that programs stop first
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/api/sse/notifications"+v.query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v.tenant == "" {
		v.tenant = tenant
	}
	if v.expires == 0 {
		v.expires = time.Hour
	}
	req.Header.Set("Authorization", "Bearer "+token(t, v.tenant, v.user, time.Now().Add(v.expires)))
	req.Header.Set("Accept", "text/event-stream")
	if v.lastEventID != "" {
		req.Header.Set("Last-Event-ID", v.lastEventID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the stream is answered with %s", resp.Status)
	}
	want := map[string]string{
		"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store, no-transform",
		"X-Accel-Buffering": "no", "Incremental": "?1",
	}
	for name, value := range want {
		if diff := cmp.Diff(value, resp.Header.Get(name)); diff != "" {
			t.Errorf("header %s: %s", name, diff)
		}
	}
	return &stream{lines: bufio.NewReader(resp.Body)}
}

func TestFramesOfTheGateway(t *testing.T) {
	t.Parallel()
	gateway := build(t, "sse-gateway")
	var seen sync.Map
	t.Cleanup(func() { // after the subtests
		for name := range frameExamples(t) {
			if _, ok := seen.Load(name); !ok && !t.Failed() {
				t.Errorf("no test has the gateway send %s/%s.txt", framesDir, name)
			}
		}
	})

	t.Run("from the first order on, and back again", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, gateway, &seen)
		p := s.start(t)
		first := open(t, p, visitor{user: watcher})
		s.sees(t, first, "ready_empty")
		s.publish(t, "order_created")
		s.sees(t, first, "order_created")
		s.sees(t, open(t, p, visitor{user: watcher}), "ready_new")
		s.sees(t, open(t, p, visitor{user: watcher, lastEventID: createdID}), "ready_resumed")
		lost := open(t, p, visitor{user: "u-2", lastEventID: "no such id"})
		s.publish(t, "order_paid")
		s.sees(t, lost, "stream_resync")
		s.publish(t, "order_status_updated")
		s.sees(t, first, "notification", "order_paid", "order_status_updated")
		s.sees(t, open(t, p, visitor{user: watcher, lastEventID: createdID}), "stream_resumed")
		unknown := open(t, p, visitor{user: watcher, lastEventID: "no such id"})
		s.skip(t, unknown)
		s.sees(t, unknown, "resync_unknown_id")
	})

	t.Run("when somebody has read", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, gateway, &seen)
		p := s.start(t)
		mine, other := open(t, p, visitor{user: watcher}), open(t, p, visitor{user: "u-2"})
		s.skip(t, mine)
		s.skip(t, other)
		reading := message.Reading{NotificationIDs: []string{notificationID}}
		m, err := reading.Message(watcher)
		if err != nil {
			t.Fatal(err)
		}
		m.ID = readID // a new one each time
		if err := s.feed.Publish(t.Context(), tenant, m); err != nil {
			t.Fatal(err)
		}
		s.publish(t, "order_status_updated")
		s.sees(t, mine, "notification_read", "order_status_updated")
		s.sees(t, other, "order_status_updated")
		for _, user := range []string{watcher, "u-2"} { // a client that reconnects with its id has missed what followed it
			again := open(t, p, visitor{user: user, lastEventID: readID})
			s.skip(t, again)
			s.sees(t, again, "order_status_updated")
		}
	})

	t.Run("when an event takes longer than its order", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, gateway, &seen)
		s.publish(t, "order_created")
		w := open(t, s.start(t), visitor{user: watcher})
		s.skip(t, w)
		paid := feedMessage(t, s.events, "order_paid")
		commits := map[string][]message.Commit{tenant: {{EventID: paid.ID, Data: paid.Data}}}
		if err := s.feed.Committed(t.Context(), commits); err != nil {
			t.Fatal(err)
		}
		s.sees(t, w, "order_committed")
		s.publish(t, "order_paid")
		s.sees(t, w, "notification", "order_paid")
	})

	t.Run("when the stream does not reach back", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, gateway, &seen)
		s.publish(t, "order_created", "order_paid", "order_status_updated")
		if err := s.redis.XTrimMaxLen(t.Context(), key("stream"), 1).Err(); err != nil {
			t.Fatal(err)
		}
		late := open(t, s.start(t), visitor{user: watcher, lastEventID: createdID})
		s.skip(t, late)
		s.sees(t, late, "resync_too_old")
	})

	t.Run("when Redis loses its memory", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, gateway, &seen)
		s.publish(t, "order_status_updated")
		w := open(t, s.start(t, "SSE_COMPARE_SECONDS=1"), visitor{user: watcher})
		s.skip(t, w)
		if err := s.redis.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		s.sees(t, w, "resync_stream_lost")
	})

	t.Run("when an entry cannot be read", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, gateway, &seen)
		s.publish(t, "order_status_updated")
		w := open(t, s.start(t, "SSE_COMPARE_SECONDS=1"), visitor{user: watcher})
		s.skip(t, w)
		// As a publisher would leave it whose messages have another form.
		tail, err := s.redis.Get(t.Context(), key("tail")).Result()
		if err != nil {
			t.Fatal(err)
		}
		last, _, _ := strings.Cut(tail, " ")
		entry := &redis.XAddArgs{Stream: key("stream"), Values: []string{"p", last, "d", "no message"}}
		id, err := s.redis.XAdd(t.Context(), entry).Result()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.redis.Set(t.Context(), key("tail"), id+" "+createdID, 0).Err(); err != nil {
			t.Fatal(err)
		}
		s.publish(t, "order_created")
		s.sees(t, w, "resync_unreadable", "order_created")
	})

	t.Run("when there is no room", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, gateway, &seen)
		p := s.start(t, "SSE_MAX_CLIENTS_PER_USER=1", "SSE_MAX_CLIENTS_PER_TENANT=2", "SSE_MAX_CLIENTS_PER_INSTANCE=3")
		s.sees(t, open(t, p, visitor{user: "u-1"}), "ready_empty")
		s.closes(t, open(t, p, visitor{user: "u-1", lastEventID: createdID}), "overloaded_user_full")
		s.sees(t, open(t, p, visitor{user: "u-2"}), "ready_empty")
		s.closes(t, open(t, p, visitor{user: "u-3", lastEventID: createdID}), "overloaded_tenant_full")
		s.skip(t, open(t, p, visitor{tenant: "other", user: "u-4"}))
		s.closes(t, open(t, p, visitor{tenant: "other", user: "u-5", lastEventID: createdID}), "overloaded_instance_full")
	})

	t.Run("when Redis is away", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, gateway, &seen)
		p := s.start(t)
		s.server.Stop()
		s.closes(t, open(t, p, visitor{user: watcher, lastEventID: createdID}), "overloaded_unavailable")
	})

	t.Run("when Redis hangs for a while", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, gateway, &seen)
		s.publish(t, "order_status_updated")
		gate := feedtest.NewGate(t, s.redis.Options().Addr)
		p := s.start(t, "REDIS_URL=redis://"+gate.Addr)
		w := open(t, p, visitor{user: watcher})
		s.skip(t, w)
		gate.Shut(true)
		s.sees(t, w, "degraded")
		s.sees(t, open(t, p, visitor{user: watcher, query: "?heartbeat=1"}), "stream_degraded")
		gate.Shut(false)
		s.sees(t, w, "live")
		s.publish(t, "order_created")
		s.sees(t, w, "order_created")
	})

	t.Run("when it stops", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, gateway, &seen)
		p := s.start(t, "SSE_DRAIN_SECONDS=10")
		var streams []*stream // many, so that some are open for most of the drain
		for range 20 {
			streams = append(streams, open(t, p, visitor{user: watcher}))
			s.sees(t, streams[len(streams)-1], "ready_empty")
		}
		stopped := make(chan error)
		go func() { stopped <- p.Stop(patience) }()
		s.closes(t, streams[0], "goodbye")
		s.closes(t, open(t, p, visitor{user: watcher, lastEventID: createdID}), "overloaded_draining")
		for _, w := range streams[1:] {
			s.closes(t, w, "goodbye")
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})

	t.Run("while nothing happens, and when the token expires", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, gateway, &seen)
		s.publish(t, "order_status_updated")
		p := s.start(t, "SSE_HEARTBEAT_SECONDS=1", "SSE_TOKEN_NOTICE_SECONDS=1")
		w := open(t, p, visitor{user: watcher, expires: 5 * time.Second})
		s.skip(t, w)
		s.sees(t, w, "heartbeat")
		s.sees(t, w, "token_expiring")
		s.closes(t, w, "goodbye")
	})
}

// skip reads one frame that other tests look at.
func (s stage) skip(t *testing.T, w *stream) {
	t.Helper()
	if frame, err := readFrame(w.lines); err != nil || field(frame, "event") != "ready" {
		t.Fatalf("the first frame is %q (%v), want ready", frame, err)
	}
}

// closes is sees for the last frames of a stream, which then ends without the last chunk.
func (s stage) closes(t *testing.T, w *stream, names ...string) {
	t.Helper()
	s.sees(t, w, names...)
	if rest, err := w.next(false); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("after the last frame comes %q and %v, want a cut", rest, err)
	}
}
