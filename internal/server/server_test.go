package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"orderbell/internal/server"
)

func quick() server.Timeouts {
	return server.Timeouts{Header: time.Second, Read: time.Second, Write: 2 * time.Second, Idle: time.Second, Stream: time.Second}
}

// serve returns the address of a server of h.
func serve(t *testing.T, h http.HandlerFunc, cfg server.Config, times server.Timeouts) (string, *server.Limits) {
	t.Helper()
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	limits := server.NewLimits(cfg)
	s := server.New(h, times, limits, slog.New(slog.DiscardHandler))
	go func() { _ = s.Serve(limits.Listen(listener)) }()
	t.Cleanup(func() { _ = s.Close() })
	return listener.Addr().String(), limits
}

func dial(t *testing.T, address, text string) net.Conn {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

func many() server.Config { return server.Config{MaxConnections: 1000, MaxPerAddress: 1000} }

func TestEveryServerHasAllFourTimeouts(t *testing.T) {
	t.Parallel()
	for name, times := range map[string]server.Timeouts{"public": server.Public(), "internal": server.Internal()} {
		s := server.New(http.NotFoundHandler(), times, server.NewLimits(many()), slog.New(slog.DiscardHandler))
		if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || times.Stream <= 0 || s.MaxHeaderBytes > 64<<10 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestRequestsThatAreNotSentToTheirEndAreEnded holds the three ways to withhold a request.
func TestRequestsThatAreNotSentToTheirEndAreEnded(t *testing.T) {
	t.Parallel()
	address, limits := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusRequestTimeout)
		}
	}, many(), quick())
	for name, text := range map[string]string{
		"half a header": "GET / HTTP/1.1\r\nHost: x\r\nX-",
		"half a body":   "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx",
		"no request":    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		c := dial(t, address, text)
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
			t.Errorf("%s: the connection is still open after 20 s", name)
		}
	}
	if n := limits.Open(); n != 0 {
		t.Errorf("%d connections are counted, want none", n)
	}
}

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout()
}

func TestASlowReaderIsEnded(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{}, 1)
	address, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(http.StatusOK)
		}
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				ended <- struct{}{}
				return
			}
		}
	}, many(), quick())
	for _, path := range []string{"/file", "/stream"} {
		dial(t, address, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Errorf("%s: it is still written to after 20 s", path)
		}
	}
}

func TestAStreamAndALongAnswerOutliveTheTimeouts(t *testing.T) {
	t.Parallel()
	times := server.Timeouts{Header: 200 * time.Millisecond, Read: 200 * time.Millisecond, Write: 200 * time.Millisecond, Idle: time.Second, Stream: 5 * time.Second}
	address, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		for range 8 {
			_, _ = fmt.Fprint(w, ":\n")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
		_, _ = fmt.Fprint(w, "data: end\n")
	}, many(), times)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.HasSuffix(string(body), "data: end\n") {
		t.Errorf("the stream is %q, %v, want it whole", body, err)
	}
}

func TestLargeRequestsAreRefused(t *testing.T) {
	t.Parallel()
	address, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var tooLarge *http.MaxBytesError
		if _, err := io.Copy(io.Discard, r.Body); errors.As(err, &tooLarge) {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	}, many(), quick())
	for name, c := range map[string]struct {
		text string
		want string
	}{
		"headers":          {"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", " 431 "},
		"a declared body":  {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n", " 413 "},
		"an endless chunk": {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n500000\r\n" + strings.Repeat("x", 5<<20), " 413 "},
	} {
		conn := dial(t, address, "")
		go func() { _, _ = io.WriteString(conn, c.text) }()
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(line, c.want) {
			t.Errorf("%s: %q, %v, want%s", name, line, err, c.want)
		}
	}
}

// from is a listener whose connections come from other addresses.
type from struct {
	net.Listener

	addresses []string
}

type fromConn struct {
	net.Conn

	address string
}

func (c fromConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.address))
}

func (f *from) Accept() (net.Conn, error) {
	c, err := f.Listener.Accept()
	if err != nil {
		return nil, err
	}
	address := f.addresses[0]
	f.addresses = f.addresses[1:]
	return fromConn{c, address}, nil
}

func TestConnectionsOfOneAddressAreLimited(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	inner, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var trusted server.Prefixes
	if err := trusted.Decode("10.0.0.0/8, fd00::1"); err != nil {
		t.Fatal(err)
	}
	limits := server.NewLimits(server.Config{MaxConnections: 9, MaxPerAddress: 2, TrustedProxies: trusted})
	want := []struct {
		from string
		in   bool
	}{
		{"192.0.2.1:1", true},
		{"192.0.2.1:2", true},
		{"192.0.2.1:3", false}, // the third of an address
		{"192.0.2.2:1", true},
		{"[2001:db8::1]:1", true},
		{"[2001:db8::2]:1", true},
		{"[2001:db8::3]:1", false}, // the third of a network
		{"10.0.0.1:1", true},
		{"10.0.0.1:2", true},
		{"10.0.0.1:3", true}, // a proxy
		{"127.0.0.1:1", true},
		{"192.0.2.9:1", false}, // the tenth of all
	}
	f := &from{Listener: inner}
	for _, c := range want {
		f.addresses = append(f.addresses, c.from)
	}
	f.addresses = append(f.addresses, "192.0.2.1:4") // fills Accept once it is over
	listener := limits.Listen(f)
	t.Cleanup(func() { _ = listener.Close() })
	accepted := make(chan string)
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			select {
			case accepted <- c.RemoteAddr().String():
			case <-t.Context().Done():
				return
			}
		}
	}()
	var got []string
	for range want {
		dial(t, inner.Addr().String(), "")
	}
	for _, c := range want {
		if c.in {
			got = append(got, <-accepted)
		}
	}
	for i, c := range want {
		in := false
		for _, address := range got {
			in = in || address == c.from
		}
		if in != c.in {
			t.Errorf("connection %d from %s: let in %v, want %v", i, c.from, in, c.in)
		}
	}
	if n := limits.Open(); n != 9 {
		t.Errorf("%d connections, want 9", n)
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	var trusted server.Prefixes
	if err := trusted.Decode("10.0.0.0/8"); err != nil {
		t.Fatal(err)
	}
	limits := server.NewLimits(server.Config{TrustedProxies: trusted})
	for name, c := range map[string]struct {
		peer, forwarded, want string
	}{
		"a stranger": {"192.0.2.1:5", "", "192.0.2.1"},
		"an untrusted peer that names another address": {"192.0.2.1:5", "198.51.100.7", "192.0.2.1"},
		"a proxy":     {"10.1.1.1:5", "198.51.100.7", "198.51.100.7"},
		"two proxies": {"10.1.1.1:5", "198.51.100.7, 10.2.2.2", "198.51.100.7"},
		"a client that sends the header to a proxy": {"10.1.1.1:5", "203.0.113.9, 198.51.100.7", "198.51.100.7"},
		"a proxy without the header":                {"10.1.1.1:5", "", "10.1.1.1"},
		"a proxy with a malformed header":           {"10.1.1.1:5", "203.0.113.9, nonsense", "10.1.1.1"},
		"an IPv4 address mapped to IPv6":            {"[::ffff:10.1.1.1]:5", "198.51.100.7", "198.51.100.7"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := limits.Address(r).String(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if err := new(server.Prefixes).Decode("10.0.0/8"); err == nil || !strings.Contains(err.Error(), "10.0.0/8") {
		t.Errorf("a malformed network: %v, want an error that names it", err)
	}
}

func TestRequestsOfOneAddressThroughAProxyAreLimited(t *testing.T) {
	t.Parallel()
	var trusted server.Prefixes
	if err := trusted.Decode("127.0.0.0/8"); err != nil {
		t.Fatal(err)
	}
	entered, release := make(chan struct{}), make(chan struct{})
	address, _ := serve(t, func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-release
	}, server.Config{MaxConnections: 100, MaxPerAddress: 2, TrustedProxies: trusted}, server.Public())
	t.Cleanup(func() { close(release) })
	ask := func(client string) net.Conn {
		return dial(t, address, "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: "+client+"\r\n\r\n")
	}
	for range 2 {
		ask("192.0.2.1")
		<-entered
	}
	line, err := bufio.NewReader(ask("192.0.2.1")).ReadString('\n')
	if err != nil || !strings.Contains(line, " 429 ") {
		t.Errorf("the third request of an address: %q, %v, want 429", line, err)
	}
	ask("192.0.2.2")
	select {
	case <-entered:
	case <-time.After(20 * time.Second):
		t.Error("a request of another address is refused")
	}
}

func TestAPanicIsLoggedAndAnswered(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	limits := server.NewLimits(many())
	s := server.New(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }), quick(), limits, slog.New(slog.NewTextHandler(&said, nil)))
	go func() { _ = s.Serve(limits.Listen(listener)) }()
	conn := dial(t, listener.Addr().String(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-Id: till-7\r\n\r\n")
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(t.Context()); err != nil { // the log is complete
		t.Fatal(err)
	}
	for _, want := range []string{"HTTP/1.1 500 ", "X-Request-Id: till-7\r\n", `"request_id":"till-7"`} {
		if !strings.Contains(string(answer), want) {
			t.Errorf("the answer has no %q:\n%s", want, answer)
		}
	}
	if !strings.Contains(said.String(), "level=ERROR") || !strings.Contains(said.String(), "request_id=till-7") {
		t.Errorf("the log: %s", said.String())
	}
}
