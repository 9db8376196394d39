package gateway_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"orderbell/internal/auth"
	"orderbell/internal/duration"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/gateway"
)

// silent opens a stream and does not read it.
func (b *bundle) silent(t *testing.T) net.Conn {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", b.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(conn, "GET /api/sse/notifications HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", b.token(t, "slow"))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// large publishes n messages of some 50 kB.
func (b *bundle) large(t *testing.T, n int, seen func(m message.Message)) {
	t.Helper()
	for i := range n {
		m := feedtest.Refer(feedtest.Message(b.tenant, i), strings.Repeat("x", 50_000))
		if err := b.feed.Publish(t.Context(), b.tenant, m); err != nil {
			t.Fatal(err)
		}
		seen(m)
	}
}

func TestAClientThatDoesNotReadIsClosedAndDelaysNobody(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *gateway.Config) { c.Logs.MaxBytes = 512 << 10 })
	silent := b.silent(t)
	quick := b.open(t)
	quick.mustNext(t)
	var last string
	// More than the kernel's buffers and the log together.
	b.large(t, 200, func(m message.Message) {
		if f := quick.mustNext(t); f.ID != m.ID {
			t.Fatalf("the quick client got %s, want %s", f.ID, m.ID)
		}
		last = m.ID
	})
	if err := silent.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(silent), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	defer silent.Close() //nolint:errcheck // first of the two: closing the body reads to its end
	c := &client{Response: r, lines: bufio.NewReader(r.Body)}
	var got frame
	for {
		f, err := c.next()
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "reset") {
				break
			}
			t.Fatalf("the silent client's stream ends with %v", err)
		}
		got = f
	}
	if got.ID == last {
		t.Error("the silent client got everything: it was never slow")
	}
	back := b.open(t, "Last-Event-ID", got.ID)
	back.mustNext(t)
	if f := back.mustNext(t); f.Event != "resync" || !strings.Contains(f.Data, "too_old") {
		t.Errorf("when it comes back it gets %+v, want a resync", f)
	}
}

func TestAStalledClientIsClosed(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *gateway.Config) {
		c.Logs.MaxBytes = 64 << 20
		c.Fanout.Heartbeat = duration.Seconds(time.Second)
		c.Fanout.WriteTimeout = duration.Seconds(time.Second)
		c.Stream.MaxPerUser = 1
	})
	b.silent(t)
	b.large(t, 200, func(message.Message) {})
	over := time.After(2 * patience)
	for { // its place is free again
		if f, err := b.openAs(t, "slow").next(); err == nil && f.Event == "ready" {
			return
		}
		select {
		case <-over:
			t.Fatal("the stalled client keeps its place")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestASlowClientGetsEverythingIfItKeepsUp(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *gateway.Config) {
		c.Logs.MaxBytes = 64 << 20
		c.Fanout.WriteTimeout = duration.Seconds(5 * time.Minute) // publishing takes a slow machine more than the usual 30 s
	})
	c := b.silent(t)
	other := b.open(t)
	other.mustNext(t) // the tenant's log is there; the silent one may join a little later
	var ids []string
	b.large(t, 300, func(m message.Message) { ids = append(ids, m.ID) }) // 15 MB: its socket is full several times
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	defer c.Close() //nolint:errcheck // first of the two: closing the body reads to its end
	reader := &client{Response: r, lines: bufio.NewReader(r.Body)}
	first := reader.mustNext(t)
	at := 0
	for at < len(ids) && first.ID != "0" && ids[at] != first.ID {
		at++
	}
	if first.ID != "0" {
		at++
	}
	for ; at < len(ids); at++ {
		if f := reader.mustNext(t); f.ID != ids[at] || len(f.Data) < 50_000 {
			t.Fatalf("frame %d is %s with %d bytes, want %s", at, f.ID, len(f.Data), ids[at])
		}
	}
}

func TestAStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *gateway.Config) {
		c.Fanout.Heartbeat = duration.Seconds(time.Second)
		c.Fanout.TokenNotice = duration.Seconds(time.Minute)
	})
	expires := time.Now().Add(3 * time.Second).Truncate(time.Second)
	token := b.token(t, "u", func(p *auth.Principal) { p.Expires = expires })
	c := b.do(t, b.request(t, t.Context(), "/api/sse/notifications", "Authorization", "Bearer "+token))
	c.mustNext(t)
	m := b.publish(t, 1)
	want := `{"expires_at":"` + expires.UTC().Format(time.RFC3339) + `"}`
	if f := c.mustNext(t); f.Event != "token_expiring" || f.Data != want || f.ID != "0" {
		t.Errorf("before the end: %+v, want token_expiring with %s", f, want)
	}
	if f := c.mustNext(t); f.ID != m.ID {
		t.Errorf("then %+v, want the stream to go on", f)
	}
	if f := c.mustNext(t); f.Retry == "" || f.Event != "" {
		t.Errorf("at the end: %+v, want retry alone", f)
	}
	if _, err := c.next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the stream ends with %v, want an incomplete body", err)
	}
	if early := time.Until(expires); early > 0 {
		t.Errorf("the stream ended %s before its token", early)
	}
}

func TestAnOldStreamIsEnded(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *gateway.Config) {
		c.Fanout.Heartbeat = duration.Seconds(time.Second)
		c.Fanout.MaxAge = duration.Seconds(2 * time.Second)
	})
	c := b.open(t)
	c.mustNext(t)
	if f := c.mustNext(t); f.Retry == "" || f.Event != "" {
		t.Errorf("at its age: %+v, want retry alone", f)
	}
}

func TestADrainIsSpread(t *testing.T) {
	t.Parallel()
	const clients = 60
	b := setup(t, func(c *gateway.Config) { c.Fanout.Drain = duration.Seconds(2 * time.Second) })
	var mu sync.Mutex
	retries := map[string]bool{}
	var ends []time.Duration
	var wait sync.WaitGroup
	open := make([]*client, clients)
	for i := range open {
		open[i] = b.open(t)
		open[i].mustNext(t)
	}
	begin := time.Now()
	for _, c := range open {
		wait.Go(func() {
			f, err := c.next()
			_, end := c.next()
			if err != nil || !errors.Is(end, io.ErrUnexpectedEOF) {
				t.Errorf("a drained stream ends with %+v, %v, %v", f, err, end)
			}
			mu.Lock()
			defer mu.Unlock()
			retries[f.Retry] = true
			ends = append(ends, time.Since(begin))
		})
	}
	b.gateway.Drain(t.Context())
	wait.Wait()
	early := 0
	for _, d := range ends {
		if d < time.Second {
			early++
		}
	}
	if early < clients/4 || early > clients*3/4 {
		t.Errorf("%d of %d streams ended in the first half of the drain", early, clients)
	}
	if len(retries) < clients/2 {
		t.Errorf("%d different retry times for %d clients", len(retries), clients)
	}
	if f := b.open(t).mustNext(t); f.Event != "overloaded" || !strings.Contains(f.Data, `"draining"`) {
		t.Errorf("while draining a new client gets %+v, want overloaded", f)
	}
	if r := b.status(t, http.MethodGet, "/api/sse/notifications", "Authorization", "Bearer "+b.token(t, "u")); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("while draining: status %d, want 503", r.StatusCode)
	}
}

func TestAClientThatIsCutInTheMiddleOfItsHeadersDoesNoHarm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 20 {
		_ = b.silent(t).Close()
	}
	c := b.open(t)
	c.mustNext(t)
	m := b.publish(t, 1)
	if f := c.mustNext(t); f.ID != m.ID {
		t.Errorf("got %+v, want event %s", f, m.ID)
	}
}
