//go:build conformance

package conformance_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// front is a proxy in front of a gateway, like an ingress. It adds the token, which an event source cannot send, splits responses
// into writes of the sizes that a test sets, and simulates faults of a network.
type front struct {
	listener net.Listener

	mu       sync.Mutex
	gateway  string // host:port; "": no gateway
	bearer   string
	sizes    []int                    // of the writes, in turn; empty: unchanged
	rewrite  func(body []byte) []byte // of the stream's bytes; nil: they are passed on unchanged, including chunks
	answers  []string                 // sent instead of the gateway's responses, one per request
	allow    int                      // bytes that are passed on before the connection is cut; < 0: no limit
	requests []request
	passed   bytes.Buffer
	conns    map[net.Conn]struct{}
}

// request is one for the stream.
type request struct {
	at          time.Time
	lastEventID string
}

func newFront(t *testing.T, gateway, bearer string) *front {
	t.Helper()
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{listener: listener, gateway: gateway, bearer: bearer, allow: -1, conns: map[net.Conn]struct{}{}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { f.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		f.set(func() { f.gateway = "" })
		f.cut()
		running.Wait()
	})
	return f
}

// url is the stream's address.
func (f *front) url() string {
	return "http://" + f.listener.Addr().String() + "/api/sse/notifications"
}

// set changes the settings of the front.
func (f *front) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// asked returns the requests so far.
func (f *front) asked() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]request(nil), f.requests...)
}

// text returns the bytes that were passed on so far.
func (f *front) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.passed.String()
}

// cut resets every connection.
func (f *front) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for conn := range f.conns {
		reset(conn)
	}
}

func reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0) // then close sends a reset
	_ = conn.Close()
}

func (f *front) hold(conn net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns[conn] = struct{}{}
}

func (f *front) release(conn net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, conn)
	_ = conn.Close()
}

const page = "<!doctype html><title>a page of the stream's origin</title>"

// serve answers one request.
func (f *front) serve(near net.Conn) {
	f.hold(near)
	defer f.release(near)
	r, err := http.ReadRequest(bufio.NewReader(near))
	if err != nil {
		return // a browser opens unused connections in advance
	}
	if !strings.HasPrefix(r.URL.Path, "/api/") {
		_, _ = fmt.Fprintf(near, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(page), page)
		return
	}
	f.mu.Lock()
	f.requests = append(f.requests, request{at: time.Now(), lastEventID: r.Header.Get("Last-Event-ID")})
	gateway, bearer, answer := f.gateway, f.bearer, ""
	if len(f.answers) > 0 {
		answer, f.answers = f.answers[0], f.answers[1:]
	}
	f.mu.Unlock()
	if answer != "" {
		_, _ = io.WriteString(near, answer)
		return
	}
	if gateway == "" {
		reset(near)
		return
	}
	var d net.Dialer
	far, err := d.DialContext(context.Background(), "tcp", gateway)
	if err != nil {
		reset(near)
		return
	}
	f.hold(far)
	defer f.release(far)
	go func() { // close the gateway's connection when the client closes its own
		_, _ = io.Copy(io.Discard, near)
		_ = far.Close()
	}()
	r.Header.Set("Authorization", "Bearer "+bearer)
	r.Close = true
	if err := r.Write(far); err != nil {
		reset(near)
	} else if err := f.pass(near, far, r); !errors.Is(err, io.EOF) { // otherwise the gateway has closed it, and the front does the same
		reset(near)
	}
}

// pass passes on a response.
func (f *front) pass(near io.Writer, far io.Reader, r *http.Request) error {
	f.mu.Lock()
	rewrite := f.rewrite
	f.mu.Unlock()
	if rewrite == nil {
		return f.copy(near, far, func(piece []byte) []byte { return piece })
	}
	answer, err := http.ReadResponse(bufio.NewReader(far), r)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // far is closed too
	var head bytes.Buffer
	fmt.Fprintf(&head, "HTTP/1.1 %s\r\nTransfer-Encoding: chunked\r\n", answer.Status)
	_ = answer.Header.Write(&head) // a buffer returns no errors
	head.WriteString("\r\n")
	if _, err := near.Write(head.Bytes()); err != nil {
		return err
	}
	return f.copy(near, rewritten{answer.Body, rewrite}, func(piece []byte) []byte {
		return fmt.Appendf(nil, "%x\r\n%s\r\n", len(piece), piece)
	})
}

// copy passes on bytes in pieces, with one write each.
func (f *front) copy(near io.Writer, far io.Reader, wrap func([]byte) []byte) error {
	buf := make([]byte, 32<<10)
	for turn := 0; ; {
		n, err := far.Read(buf)
		for rest := buf[:n]; len(rest) > 0; turn++ {
			piece := f.portion(rest, turn)
			if piece == nil {
				f.cut()
				return io.ErrUnexpectedEOF
			}
			if _, err := near.Write(wrap(piece)); err != nil {
				return err
			}
			rest = rest[len(piece):]
		}
		if err != nil {
			return err
		}
	}
}

// portion returns the next piece of rest, or nil if the limit is reached.
func (f *front) portion(rest []byte, turn int) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	size := len(rest)
	if len(f.sizes) > 0 {
		size = min(size, f.sizes[turn%len(f.sizes)])
	}
	if f.allow == 0 {
		f.allow = -1 // the next connection has no limit
		return nil
	}
	if f.allow > 0 {
		size = min(size, f.allow)
		f.allow -= size
	}
	f.passed.Write(rest[:size])
	return rest[:size]
}

// rewritten is a body that the front changes.
type rewritten struct {
	io.Reader
	change func([]byte) []byte
}

func (r rewritten) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b[:len(b)/2])
	return copy(b, r.change(bytes.Clone(b[:n]))), err
}
