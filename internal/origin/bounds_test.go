package origin_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/duration"
	"orderbell/internal/origin"
	"orderbell/internal/server"
)

// within serves h with quick timeouts and returns its address.
func within(t *testing.T, h http.Handler, times server.Timeouts) string {
	t.Helper()
	listeners, err := origin.Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	s := origin.ServeWithin(h, listeners, times, server.Config{MaxConnections: 10_000, MaxPerAddress: 10_000}, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		cancel() // what is open is cut
		_ = s.Stop(ctx)
	})
	return listeners[0].Addr().String()
}

func send(t *testing.T, address, text string) net.Conn {
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

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // far below
}

// TestWithheldBodiesAndSlowReadersCostLittleAndEnd repeats an attack on the front end: 3,000 bodies that were never sent, and
// 200 connections with eight requests for a large file that were not read. They held 188 to 359 MB and never ended.
func TestWithheldBodiesAndSlowReadersCostLittleAndEnd(t *testing.T) { //nolint:paralleltest // the heap is the process's
	const large, bodies, readers, pipelined = 4_000_000, 1000, 200, 8 // more than the kernel takes of an answer that is not read
	files, err := origin.NewFiles(fstest.MapFS{
		"index.html":       {Data: []byte("<!doctype html><title>Orderbell</title>")},
		"assets/app-1a.js": {Data: []byte(strings.Repeat("x", large))},
	})
	if err != nil {
		t.Fatal(err)
	}
	target := backend(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	times := server.Timeouts{Header: 2 * time.Second, Read: 5 * time.Second, Write: 10 * time.Second, Idle: 2 * time.Second, Stream: 2 * time.Second}
	h := origin.New(origin.Config{Routes: []origin.Route{{Path: "/api/orders", Target: target}}, Files: files, Log: quiet()})
	address := within(t, h, times)
	before := heap()
	var withheld, slow []net.Conn
	for i := range bodies {
		path := "/"
		if i%10 == 0 {
			path = "/api/orders"
		}
		withheld = append(withheld, send(t, address, "POST "+path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx"))
	}
	for range readers {
		slow = append(slow, send(t, address, strings.Repeat("GET /assets/app-1a.js HTTP/1.1\r\nHost: x\r\n\r\n", pipelined)))
	}
	if grown := heap() - before; grown > 100<<20 {
		t.Errorf("%d withheld bodies and %d slow readers hold %d MiB", bodies, readers, grown>>20)
	} else {
		t.Logf("%d withheld bodies and %d slow readers hold %d KiB", bodies, readers, grown>>10)
	}
	began := time.Now()
	over := began.Add(30 * time.Second)
	for i, c := range withheld {
		_ = c.SetReadDeadline(over)
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Fatalf("withheld body %d is still waited for after 30 s", i)
		}
	}
	<-time.After(time.Until(began.Add(times.Write + 15*time.Second)))
	for i, c := range slow {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n, _ := io.Copy(io.Discard, c); n >= large*pipelined {
			t.Fatalf("slow reader %d got all of its %d answers", i, pipelined)
		}
	}
}

func TestEveryAnswerHasTheHeadersThatProtectThePage(t *testing.T) {
	t.Parallel()
	files, err := origin.NewFiles(fstest.MapFS{"index.html": {Data: []byte("<!doctype html>")}, "assets/app-1a.js": {Data: []byte("export {}")}})
	if err != nil {
		t.Fatal(err)
	}
	own := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		w.Header().Set("Referrer-Policy", "no-referrer")
	})
	plain := backend(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	h := origin.New(origin.Config{
		Routes: []origin.Route{
			{Path: "/api/unsubscribe", Target: own},
			{Path: "/api/orders", Target: plain},
			{Path: "/api/users", Target: &url.URL{Scheme: "http", Host: "127.0.0.1:1", Path: "/"}},
		},
		Files: files, Log: quiet(), Headers: origin.Headers{HSTS: duration.Seconds(365 * 24 * time.Hour)},
	})
	address := "http://" + within(t, h, server.Public())
	for _, c := range []struct {
		path, policy, referrer string
	}{
		{"/", "frame-ancestors 'none'", "same-origin"},
		{"/orders/7", "frame-ancestors 'none'", "same-origin"},
		{"/assets/app-1a.js", "default-src 'self'", "same-origin"},
		{"/assets/missing.js", "default-src 'self'", "same-origin"},
		{"/api/nothing", "frame-ancestors 'none'", "same-origin"},
		{"/api/orders", "frame-ancestors 'none'", "same-origin"},
		{"/api/users", "frame-ancestors 'none'", "same-origin"}, // a program that does not answer
		{"/api/unsubscribe", "default-src 'none'", "no-referrer"},
	} {
		got := get(t, http.MethodGet, address+c.path).Header
		if policy := got.Values("Content-Security-Policy"); len(policy) != 1 || !strings.Contains(policy[0], c.policy) {
			t.Errorf("%s: Content-Security-Policy %q, want one with %s", c.path, policy, c.policy)
		}
		want := []string{"nosniff", c.referrer, "max-age=31536000"}
		if diff := cmp.Diff(want, []string{got.Get("X-Content-Type-Options"), got.Get("Referrer-Policy"), got.Get("Strict-Transport-Security")}); diff != "" {
			t.Errorf("%s: %s", c.path, diff)
		}
		if got.Get("Permissions-Policy") == "" {
			t.Errorf("%s: no Permissions-Policy", c.path)
		}
	}
	without := get(t, http.MethodGet, front(t).URL+"/")
	if got := without.Header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("Strict-Transport-Security is %q where it is not set, want none", got)
	}
}

func TestAFileThatTheBuildHasCompressedIsSentSo(t *testing.T) {
	t.Parallel()
	files, err := origin.NewFiles(fstest.MapFS{
		"index.html": {Data: []byte("page")}, "index.html.br": {Data: []byte("of another build")},
		"assets/a-1.js": {Data: []byte("plain")}, "assets/a-1.js.br": {Data: []byte("br")}, "assets/a-1.js.gz": {Data: []byte("gz")},
		"assets/a-1.js.map": {Data: []byte("source")},
	})
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + within(t, files, server.Public())
	tags := map[string]string{}
	for _, c := range []struct{ path, accept, want string }{
		{"/assets/a-1.js", "gzip, br", "br: br"},
		{"/assets/a-1.js", "gzip, br;q=0", "gzip: gz"},
		{"/assets/a-1.js", "gzip;q=0.5", "gzip: gz"},
		{"/assets/a-1.js", "identity", ": plain"},
		{"/", "br", ": page"},
	} {
		resp := get(t, http.MethodGet, address+c.path, "Accept-Encoding", c.accept)
		if got := fmt.Sprintf("%s: %s", resp.Header.Get("Content-Encoding"), read(t, resp)); got != c.want {
			t.Errorf("%s for %s is %q, want %q", c.path, c.accept, got, c.want)
		}
		if c.path == "/" {
			continue
		}
		if resp.Header.Get("Vary") != "Accept-Encoding" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/javascript") {
			t.Errorf("%s for %s: Vary %q, Content-Type %q", c.path, c.accept, resp.Header.Get("Vary"), resp.Header.Get("Content-Type"))
		}
		coding := resp.Header.Get("Content-Encoding")
		for other, etag := range tags {
			if other != coding && etag == resp.Header.Get("ETag") {
				t.Errorf("%q and %q have the ETag %s both", other, coding, etag)
			}
		}
		tags[coding] = resp.Header.Get("ETag")
	}
	if resp := get(t, http.MethodGet, address+"/assets/a-1.js.map"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a source map: %s, want 404", resp.Status)
	}
}

func TestAClientCannotSayWhereItComesFrom(t *testing.T) {
	t.Parallel()
	var said string
	target := backend(t, func(_ http.ResponseWriter, r *http.Request) { said = r.Header.Get("X-Forwarded-For") })
	h := origin.New(origin.Config{Routes: []origin.Route{{Path: "/api/orders", Target: target}}, Files: http.NotFoundHandler(), Log: quiet()})
	get(t, http.MethodGet, "http://"+within(t, h, server.Public())+"/api/orders", "X-Forwarded-For", "203.0.113.7")
	if strings.Contains(said, "203.0.113.7") || !strings.HasPrefix(said, "127.0.0.1") {
		t.Errorf("the program received %q, want the peer alone", said)
	}
	var proxies server.Prefixes
	if err := proxies.Decode("127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	listeners, err := origin.Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	cfg := server.Config{MaxConnections: 100, MaxPerAddress: 100, TrustedProxies: proxies}
	s := origin.ServeWithin(h, listeners, server.Public(), cfg, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = s.Stop(context.WithoutCancel(t.Context())) })
	get(t, http.MethodGet, "http://"+listeners[0].Addr().String()+"/api/orders", "X-Forwarded-For", "203.0.113.7")
	if said != "203.0.113.7, 127.0.0.1" {
		t.Errorf("the program received %q through a proxy, want the client and the proxy", said)
	}
}
