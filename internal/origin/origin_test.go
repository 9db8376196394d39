package origin_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/origin"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func backend(t *testing.T, h http.HandlerFunc) *url.URL {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func front(t *testing.T, routes ...origin.Route) *httptest.Server {
	t.Helper()
	files, err := origin.NewFiles(fstest.MapFS{
		"index.html":       {Data: []byte("<!doctype html><title>Orderbell</title>")},
		"assets/app-1a.js": {Data: []byte("export {}")},
	})
	if err != nil {
		t.Fatal(err)
	}
	users := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "users") })
	s := httptest.NewServer(origin.New(origin.Config{Routes: routes, Files: files, Users: users, Log: quiet()}))
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, method, address string, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func read(t *testing.T, resp *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestRouting(t *testing.T) {
	t.Parallel()
	echo := func(name string) *url.URL {
		return backend(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, name+" "+r.URL.RequestURI()) })
	}
	s := front(t, origin.Route{Path: "/api/orders", Target: echo("order-api")}, origin.Route{Path: "/api/sse", Target: echo("sse-gateway")})
	type answer struct {
		Status int
		Body   string
	}
	page := "<!doctype html><title>Orderbell</title>"
	for _, c := range []struct {
		name, path string
		want       answer
	}{
		{"a route itself", "/api/orders", answer{200, "order-api /api/orders"}},
		{"below a route, with its query", "/api/orders/snapshot?limit=2", answer{200, "order-api /api/orders/snapshot?limit=2"}},
		{"another program", "/api/sse/notifications", answer{200, "sse-gateway /api/sse/notifications"}},
		{"the demo users", "/dev/users", answer{200, "users"}},
		{"the page", "/", answer{200, page}},
		{"a path of the application", "/orders/7", answer{200, page}},
		{"a script", "/assets/app-1a.js", answer{200, "export {}"}},
		{"a script of an old build", "/assets/app-00.js", answer{404, "there is no such file in this release: reload the page\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			resp := get(t, http.MethodGet, s.URL+c.path)
			if diff := cmp.Diff(c.want, answer{resp.StatusCode, read(t, resp)}); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("an API path that no program serves is a problem", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/api/ordersheet", "/api/users"} {
			resp := get(t, http.MethodGet, s.URL+path)
			if resp.StatusCode != http.StatusNotFound || resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("GET %s: %s %s, want a 404 problem", path, resp.Status, resp.Header.Get("Content-Type"))
			}
		}
	})
	t.Run("files take only GET and HEAD", func(t *testing.T) {
		t.Parallel()
		if resp := get(t, http.MethodPost, s.URL+"/"); resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("POST /: %s, want 405", resp.Status)
		}
	})
}

func TestFilesAreCached(t *testing.T) {
	t.Parallel()
	s := front(t)
	script := get(t, http.MethodGet, s.URL+"/assets/app-1a.js")
	if got := script.Header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("Cache-Control of a hashed file is %q, want immutable", got)
	}
	page := get(t, http.MethodGet, s.URL+"/")
	if got := page.Header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("Cache-Control of the page is %q, want no-cache", got)
	}
	if again := get(t, http.MethodGet, s.URL+"/orders", "If-None-Match", page.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Errorf("the page again with its ETag: %s, want 304", again.Status)
	}
}

func TestAFrontEndThatIsNotBuiltIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := origin.NewFiles(fstest.MapFS{}); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("NewFiles = %v, want an error that says how to build", err)
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	next := make(chan string)
	cut := make(chan struct{})
	target := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case frame := <-next:
				_, _ = io.WriteString(w, frame)
				_ = http.NewResponseController(w).Flush()
			case <-cut:
				panic(http.ErrAbortHandler)
			case <-r.Context().Done():
				return
			}
		}
	})
	s := front(t, origin.Route{Path: "/api/sse", Target: target})
	resp := get(t, http.MethodGet, s.URL+"/api/sse/notifications")
	lines := bufio.NewReader(resp.Body)
	for _, frame := range []string{"data: 1\n", "data: 2\n"} {
		next <- frame
		// Only what was flushed arrives: the stream is still open.
		if got, err := lines.ReadString('\n'); err != nil || got != frame {
			t.Fatalf("read %q, %v, want %q", got, err, frame)
		}
	}
	close(cut)
	// A clean end makes some clients stop for good; a cut stream must look cut from outside too.
	if _, err := lines.ReadString('\n'); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the stream ended with %v, want %v", err, io.ErrUnexpectedEOF)
	}
}

func TestARestartingProgramIsWaitedFor(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s := front(t, origin.Route{Path: "/api/orders", Target: &url.URL{Scheme: "http", Host: addr}})
	answered := make(chan *http.Response, 1)
	go func() { answered <- get(t, http.MethodGet, s.URL+"/api/orders") }()
	back, err := lc.Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }),
	}
	go func() { _ = server.Serve(back) }()
	t.Cleanup(func() { _ = server.Close() })
	if resp := <-answered; resp.StatusCode != http.StatusNoContent {
		t.Errorf("GET while the program restarts: %s, want 204", resp.Status)
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	listeners, err := origin.Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	server := origin.Serve(http.NotFoundHandler(), listeners, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	u, err := url.Parse(origin.Address(listeners))
	if err != nil {
		t.Fatal(err)
	}
	if resp := get(t, http.MethodGet, origin.Address(listeners)+"/x"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("GET /x: %s, want 404", resp.Status)
	}
	port, err := net.DefaultResolver.LookupPort(t.Context(), "tcp", u.Port())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := origin.Listen(t.Context(), port); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("Listen on a taken port = %v, want an error that says so", err)
	}
}

func TestStopCutsStreams(t *testing.T) {
	t.Parallel()
	listeners, err := origin.Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	stream := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	server := origin.Serve(stream, listeners, slog.New(slog.DiscardHandler))
	resp := get(t, http.MethodGet, origin.Address(listeners))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := server.Stop(ctx); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the stream ended cleanly, want it cut")
	}
}

func TestRouteByName(t *testing.T) {
	t.Parallel()
	var host string
	target := backend(t, func(_ http.ResponseWriter, r *http.Request) { host = r.Host })
	for _, byName := range []bool{true, false} {
		s := front(t, origin.Route{Path: "/api/orders", Target: target, ByName: byName})
		get(t, http.MethodGet, s.URL+"/api/orders")
		want := strings.TrimPrefix(s.URL, "http://")
		if byName {
			want = target.Host
		}
		if host != want {
			t.Errorf("by name %v: the program was asked as %s, want %s", byName, host, want)
		}
	}
}

func TestLayers(t *testing.T) {
	t.Parallel()
	layers := origin.Layers{
		fstest.MapFS{"index.html": {Data: []byte("new")}},
		fstest.MapFS{"index.html": {Data: []byte("old")}, "logo.svg": {Data: []byte("logo")}},
	}
	for name, want := range map[string]string{"index.html": "new", "logo.svg": "logo"} {
		got, err := fs.ReadFile(layers, name)
		if err != nil || string(got) != want {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
	if _, err := fs.ReadFile(layers, "missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v, want fs.ErrNotExist", err)
	}
}

// TestAQueryThatCannotBeParsedIsRefused: if a proxy drops what it cannot parse, the program answers another request.
func TestAQueryThatCannotBeParsedIsRefused(t *testing.T) {
	t.Parallel()
	echo := backend(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.RawQuery) })
	s := front(t, origin.Route{Path: "/api/orders", Target: echo}, origin.Route{Path: "/api/sse", Target: echo})
	for _, path := range []string{"/api/orders", "/api/orders/1/pay", "/api/sse/notifications"} {
		for query, status := range map[string]int{
			"limit=2&q=a%20b%2B": 200, "q=%E2%9C%85&q=2": 200, "cursor=%zz": 400, "limit=2;cursor=x": 400, "limit=2&a=%": 400, "a;": 400,
		} {
			resp := get(t, http.MethodGet, s.URL+path+"?"+query)
			body := read(t, resp)
			switch {
			case resp.StatusCode != status:
				t.Errorf("%s?%s: %d, want %d", path, query, resp.StatusCode, status)
			case status == http.StatusOK && body != query:
				t.Errorf("%s?%s reached the program as %q", path, query, body)
			case status != http.StatusOK && (!strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") || resp.Header.Get("X-Content-Type-Options") == ""):
				t.Errorf("%s?%s: headers %v", path, query, resp.Header)
			}
		}
	}
}

// TestTypesOfFiles: a text without a character set is read as Latin-1 by some clients.
func TestTypesOfFiles(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"index.html": "text/html; charset=utf-8", "assets/a-1.js": "text/javascript; charset=utf-8", "assets/a-1.mjs": "text/javascript; charset=utf-8",
		"assets/a-1.css": "text/css; charset=utf-8", "robots.txt": "text/plain; charset=utf-8", "a.webmanifest": "application/manifest+json",
		"a.svg": "image/svg+xml", "a.json": "application/json", "a.woff2": "font/woff2", "a.png": "image/png",
	}
	dist := fstest.MapFS{}
	for name := range want {
		dist[name] = &fstest.MapFile{Data: []byte("Å")}
		dist[name+".gz"] = &fstest.MapFile{Data: []byte("compressed")}
	}
	files, err := origin.NewFiles(dist)
	if err != nil {
		t.Fatal(err)
	}
	for name, is := range want {
		for _, coding := range []string{"", "gzip"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+strings.TrimSuffix(name, "index.html"), nil)
			r.Header.Set("Accept-Encoding", coding)
			w := httptest.NewRecorder()
			if files.ServeHTTP(w, r); w.Code != http.StatusOK || w.Header().Get("Content-Type") != is {
				t.Errorf("%s, coding %q: %d %s, want %s", name, coding, w.Code, w.Header().Get("Content-Type"), is)
			}
		}
	}
}
