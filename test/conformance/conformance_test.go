//go:build conformance

package conformance_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"

	"orderbell/internal/auth"
	"orderbell/internal/dev/programtest"
	"orderbell/internal/dev/waittest"
	"orderbell/internal/event"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/feed/message"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	g := startGateway(t, redis)
	watchers := feedtest.Open(t, feedtest.Config("redis://"+redis.Addr()))
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			open := k.start(t, k.name)
			for name, scenario := range map[string]func(*testing.T, bundle){
				"text arrives as it was sent, in writes of one byte": textOneByte,
				"text arrives as it was sent, in chunks of one byte": textOneByteChunks,
				"text arrives as it was sent, with CRLF at ends":     textCRLF,
				"large frames arrive whole":                          largeFrames,
				"comments are not events":                            comments,
				"a cut connection resumes after the last id":         cutLine,
				"a connection cut in the middle of a frame":          cutFrame,
				"clients reconnect to an overloaded gateway":         overloaded,
				"401 ends it": unauthorized,
				"403 ends it": forbidden,
				"204 ends it": dismissed,
				"503 of something in front of the gateway":               unavailable,
				"a degraded feed is announced":                           degraded,
				"an unknown last id leads to the snapshot, not an error": unknownID,
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					b := bundle{kind: k, open: open, redis: redis, feed: watchers, tenant: feedtest.Tenant()}
					b.front = newFront(t, g.Address, b.token(t))
					scenario(t, b)
				})
			}
			for name, end := range map[string]func(*programtest.Program){
				"a killed gateway is replaced without loss":   func(g *programtest.Program) { g.Kill() },
				"a stopping gateway is replaced without loss": func(g *programtest.Program) { _ = g.Stop(patience) },
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					b := bundle{kind: k, open: open, redis: redis, feed: watchers, tenant: feedtest.Tenant()}
					b.front = newFront(t, startGateway(t, redis).Address, b.token(t))
					replaced(t, b, end)
				})
			}
		})
	}
}

// begin opens a stream and returns it after its ready frame.
func (b bundle) begin(t *testing.T) *stream {
	t.Helper()
	s := b.open(t, b.front.url())
	if r := s.next(t); r.What != "open" {
		t.Fatalf("first comes %+v, want the stream to open", r)
	}
	want := report{What: "event", Event: "ready", ID: "0", Data: `{"tenant_id":"` + b.tenant + `","resumed":false,"live":true,"heartbeat_ms":1000}`}
	if diff := cmp.Diff(want, anonymous(s.next(t))); diff != "" {
		t.Fatalf("the first frame (-want +got):\n%s", diff)
	}
	return s
}

func anonymous(r report) report {
	r.Stream = 0
	return r
}

// sees checks that the next event is the message's frame, including its text.
func (s *stream) sees(t *testing.T, m message.Message) {
	t.Helper()
	// Frames about the feed may arrive in between: if the machine pauses for 3 s, the feed becomes degraded.
	got := s.await(t, "order", func(r report) bool { return r.What == "event" && r.Event != "degraded" && r.Event != "live" })
	if got.Event != string(m.Event) || got.ID != m.ID {
		t.Fatalf("got %s %s, want %s %s", got.Event, got.ID, m.Event, m.ID)
	}
	if diff := cmp.Diff(string(m.Data), got.Data); diff != "" {
		t.Errorf("the data (-want +got):\n%s", diff)
	}
}

func textOneByte(t *testing.T, b bundle) {
	b.front.set(func() { b.front.sizes = []int{1} })
	text(t, b)
}

func textOneByteChunks(t *testing.T, b bundle) {
	b.front.set(func() { b.front.sizes, b.front.rewrite = []int{1}, func(body []byte) []byte { return body } })
	text(t, b)
}

func textCRLF(t *testing.T, b bundle) {
	b.front.set(func() {
		b.front.sizes = []int{1, 5, 2}
		b.front.rewrite = func(body []byte) []byte { return bytes.ReplaceAll(body, []byte("\n"), []byte("\r\n")) }
	})
	text(t, b)
	if !strings.Contains(b.front.text(), "\r\n\r\n") {
		t.Error("the proxy rewrote nothing")
	}
}

// text sends characters that could break a frame or be split themselves.
func text(t *testing.T, b bundle) {
	t.Helper()
	s := b.begin(t)
	for _, reference := range []string{
		"A-1042",
		"ü€漢字🧾👩‍🍳 Kopi Susu é",            // characters of two to four bytes, joined and combined ones
		"\ufeff\u2028\u2029\u0085\u00a0x", // a byte order mark, and characters that some parsers treat as line ends
		"a\r\nb\rc\nd\n\ndata: e\n\nid: f",
		" leading: colon", ": comment", "\x00\x01\x7f", "",
	} {
		s.sees(t, b.publish(t, reference))
	}
	m := b.publish(t, "日本", event.Recipient{UserID: userID, NotificationID: "n-1"})
	got := s.event(t)
	var note struct {
		NotificationID string          `json:"notification_id"`
		Data           json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal([]byte(got.Data), &note); err != nil {
		t.Fatalf("%+v: %v", got, err)
	}
	if got.Event != "notification" || got.ID != m.ID+".n" || note.NotificationID != "n-1" || !bytes.Equal(note.Data, m.Data) {
		t.Errorf("got %+v, want the notification of %+v", got, m)
	}
	s.sees(t, m)
}

func largeFrames(t *testing.T, b bundle) {
	b.front.set(func() { b.front.sizes = []int{4093, 1, 1009, 7, 16_381} })
	s := b.begin(t)
	reference := strings.Repeat("é", event.MaxData/2-120) // nearly the largest permitted event
	for range 3 {
		m := b.publish(t, reference, event.Recipient{UserID: userID, NotificationID: "n-1"})
		if r := s.event(t); r.Event != "notification" || len(r.Data) < event.MaxData {
			t.Fatalf("got a %s of %d bytes, want a notification larger than %d", r.Event, len(r.Data), event.MaxData)
		}
		s.sees(t, m)
	}
}

func comments(t *testing.T, b bundle) {
	s := b.begin(t)
	waittest.Until(t, "two heartbeats have passed", func() bool { return strings.Count(b.front.text(), "\r\n:\n\r\n") >= 2 })
	s.sees(t, b.publish(t, "after comments"))
}

var retryField = regexp.MustCompile(`(?m)^retry: (\d+)$`)

func cutLine(t *testing.T, b bundle) {
	s := b.begin(t)
	first := b.publish(t, "before the cut")
	s.sees(t, first)
	b.front.set(func() { b.front.rewrite = nil })
	cut := time.Now()
	b.front.cut()
	missed := []message.Message{b.publish(t, "missed"), b.publish(t, "missed too")}
	if r := s.failure(t); r.State != connecting {
		t.Fatalf("after the cut: %+v, want it to connect again", r)
	}
	b.resumes(t, s, first, missed...)
	asked := b.front.asked()
	if len(asked) != 2 || asked[0].lastEventID != "" || asked[1].lastEventID != first.ID {
		t.Errorf("the requests were %+v, want the second to have Last-Event-ID %s", asked, first.ID)
	}
	if b.obeysRetry {
		said := retryField.FindStringSubmatch(b.front.text())
		if said == nil {
			t.Fatal("the stream has no retry field")
		}
		ms, err := strconv.Atoi(said[1])
		if err != nil {
			t.Fatal(err)
		}
		// Timers are not exact, and some count from the last byte.
		if waited := asked[1].at.Sub(cut) + 100*time.Millisecond; waited < time.Duration(ms)*time.Millisecond {
			t.Errorf("it reconnected after %s, want %d ms", waited, ms)
		}
	}
}

// resumes checks that a stream continues after an event, with the missed events and no others.
func (b bundle) resumes(t *testing.T, s *stream, last message.Message, missed ...message.Message) {
	t.Helper()
	if r := s.event(t); r.Event != "ready" || r.ID != last.ID || !strings.Contains(r.Data, `"resumed":true`) {
		t.Fatalf("after reconnecting: %+v, want a stream that resumes after %s", r, last.ID)
	}
	for _, m := range append(missed, b.publish(t, "live again")) {
		s.sees(t, m)
	}
}

func cutFrame(t *testing.T, b bundle) {
	s := b.begin(t)
	first := b.publish(t, "before the cut")
	s.sees(t, first)
	b.front.set(func() { b.front.allow = 150 }) // the id and the beginning of the data
	half := b.publish(t, "the frame that is cut")
	if !b.wholeFrames {
		// It passes on the incomplete frame and resumes after it. A user of this client must prevent that.
		if r := s.event(t); r.ID != half.ID || json.Valid([]byte(r.Data)) {
			t.Errorf("got %+v, want half a frame", r)
		}
		return
	}
	b.resumes(t, s, first, half)
}

func overloaded(t *testing.T, b bundle) {
	for range 2 { // the limit of one user
		b.begin(t)
	}
	s := b.open(t, b.front.url())
	r := s.event(t)
	if r.Event != "overloaded" || r.ID != "0" || !strings.Contains(r.Data, `"reason":"user_full"`) {
		t.Errorf("got %+v, want overloaded", r)
	}
	if r := s.failure(t); r.State != connecting {
		t.Errorf("then %+v, want it to connect again", r)
	}
}

// ends checks that a client stops after it is refused with the status.
func (b bundle) ends(t *testing.T, s *stream, status int) {
	t.Helper()
	r := s.failure(t)
	if r.State != closed || r.Status != 0 && r.Status != status {
		t.Errorf("got %+v, want an end by %d", r, status)
	}
	asked := len(b.front.asked())
	time.Sleep(quiet)
	if again := len(b.front.asked()) - asked; again != 0 || len(s.reports) > 0 {
		t.Errorf("it sent %d more requests", again)
	}
}

// quiet is longer than the default time after which any of the clients reconnects.
const quiet = 4 * time.Second

func unauthorized(t *testing.T, b bundle) {
	s := b.begin(t)
	b.front.set(func() { b.front.bearer = "" })
	b.front.cut()
	if r := s.failure(t); r.State != connecting {
		t.Fatalf("after the cut: %+v, want it to connect again", r)
	}
	b.ends(t, s, http.StatusUnauthorized)
}

func forbidden(t *testing.T, b bundle) {
	b.front.set(func() { b.front.bearer = b.token(t, func(p *auth.Principal) { p.Roles = nil }) })
	b.ends(t, b.open(t, b.front.url()), http.StatusForbidden)
}

func dismissed(t *testing.T, b bundle) {
	s := b.begin(t)
	b.front.set(func() { b.front.answers = []string{"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"} })
	b.front.cut()
	if r := s.failure(t); r.State != connecting {
		t.Fatalf("after the cut: %+v, want it to connect again", r)
	}
	b.ends(t, s, http.StatusNoContent)
}

func unavailable(t *testing.T, b bundle) {
	b.front.set(func() {
		b.front.answers = []string{"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"}
	})
	s := b.open(t, b.front.url())
	if !b.retries503 { // for this reason the gateway refuses event sources with 200 and an event
		b.ends(t, s, http.StatusServiceUnavailable)
		return
	}
	if r := s.failure(t); r.State != connecting || r.Status != http.StatusServiceUnavailable {
		t.Errorf("got %+v, want it to connect again", r)
	}
	if r := s.event(t); r.Event != "ready" {
		t.Errorf("then %+v, want ready", r)
	}
}

func degraded(t *testing.T, b bundle) {
	gate := feedtest.NewGate(t, b.redis.Addr())
	g := startGateway(t, b.redis, "REDIS_URL=redis://"+gate.Addr)
	b.front.set(func() { b.front.gateway = g.Address })
	s := b.begin(t)
	gate.Shut(true)
	if r := s.event(t); r.Event != "degraded" || !strings.Contains(r.Data, `"since":"`) {
		t.Errorf("got %+v, want degraded", r)
	}
	gate.Shut(false)
	if r := s.event(t); r.Event != "live" {
		t.Errorf("then %+v, want live", r)
	}
	s.sees(t, b.publish(t, "the stream goes on"))
}

func unknownID(t *testing.T, b bundle) {
	b.publish(t, "one that is kept")
	s := b.open(t, b.front.url()+"?lastEventId=no-such-event")
	if r := s.event(t); r.Event != "ready" || r.ID != "0" {
		t.Errorf("got %+v, want ready with id 0", r)
	}
	if r := s.event(t); r.Event != "resync" || !strings.Contains(r.Data, "unknown_id") {
		t.Errorf("then %+v, want resync", r)
	}
	s.sees(t, b.publish(t, "the stream goes on"))
}

func replaced(t *testing.T, b bundle, end func(*programtest.Program)) {
	t.Helper()
	old := startGateway(t, b.redis)
	b.front.set(func() { b.front.gateway = old.Address })
	s := b.begin(t)
	first := b.publish(t, "on the first")
	s.sees(t, first)
	successor := startGateway(t, b.redis)
	b.front.set(func() { b.front.gateway = successor.Address })
	end(old)
	missed := b.publish(t, "on none")
	b.resumes(t, s, first, missed)
}
