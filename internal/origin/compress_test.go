package origin_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"orderbell/internal/origin"
	"orderbell/internal/server"
)

// TestWhatTheOriginSendsIsCompressed goes through everything that the origin answers, as a browser asks for it.
func TestWhatTheOriginSendsIsCompressed(t *testing.T) {
	t.Parallel()
	page := "<!doctype html><title>Orderbell</title>" + strings.Repeat("<!-- a long page -->", 100)
	orders := `{"orders":[` + strings.Repeat(`{"order_id":"7"},`, 400) + `{}]}`
	files, err := origin.NewFiles(fstest.MapFS{
		"index.html":       {Data: []byte(page)},
		"sw.js":            {Data: []byte(strings.Repeat("self.skipWaiting();", 200))},
		"icons/512.png":    {Data: []byte(strings.Repeat("\x89PNG", 1000))},
		"assets/a-1.js":    {Data: []byte(strings.Repeat("x", 5000))},
		"assets/a-1.js.br": {Data: []byte("br")},
	})
	if err != nil {
		t.Fatal(err)
	}
	list := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("ETag", `"7"`)
		if r.Header.Get("If-None-Match") == `"7"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(orders)))
		_, _ = io.WriteString(w, orders)
	})
	short := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "{}")
	})
	stream := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		_, _ = io.WriteString(w, strings.Repeat("data: {}\n\n", 1000))
	})
	address := "http://" + within(t, origin.New(origin.Config{
		Routes: []origin.Route{
			{Path: "/api/orders", Target: list},
			{Path: "/api/me", Target: short},
			{Path: "/api/sse", Target: stream},
			{Path: "/api/users", Target: stream}, // a stream at another path
		},
		Files: files, Log: quiet(),
	}), server.Public())

	for _, c := range []struct{ path, accept, coding string }{
		{"/api/orders", "gzip, deflate, br, zstd", "gzip"},
		{"/api/orders", "identity", ""},
		{"/api/orders", "gzip;q=0", ""},
		{"/api/me", "gzip", ""}, // it fits a packet
		{"/api/sse/notifications", "gzip, br, zstd", ""},
		{"/api/users", "gzip, br, zstd", ""},
		{"/", "gzip, br", "gzip"},
		{"/orders/7", "gzip, br", "gzip"},
		{"/sw.js", "gzip, br", "gzip"},
		{"/icons/512.png", "gzip, br", ""},
		{"/assets/a-1.js", "gzip, br", "br"},  // as the build has it
		{"/assets/a-1.js", "gzip, *", "gzip"}, // a client that takes no brotli
	} {
		resp := get(t, http.MethodGet, address+c.path, "Accept-Encoding", c.accept)
		if got := resp.Header.Get("Content-Encoding"); got != c.coding {
			t.Errorf("%s for %q: Content-Encoding %q, want %q", c.path, c.accept, got, c.coding)
		}
		if vary := resp.Header.Values("Vary"); !strings.HasPrefix(c.path, "/api/sse") && (len(vary) != 1 || vary[0] != "Accept-Encoding") {
			t.Errorf("%s: Vary %q, want Accept-Encoding once", c.path, vary)
		}
	}

	resp := get(t, http.MethodGet, address+"/api/orders", "Accept-Encoding", "gzip")
	if etag := resp.Header.Get("ETag"); etag != `"7"` {
		t.Errorf("the ETag is %s, want the version for If-Match", etag)
	}
	sent := read(t, resp)
	if len(sent)*5 > len(orders) {
		t.Errorf("%d bytes of orders are sent as %d", len(orders), len(sent))
	}
	body, err := gzip.NewReader(strings.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(body); err != nil || string(got) != orders {
		t.Errorf("unpacked it has %d bytes, %v, want %d", len(got), err, len(orders))
	}
	if resp := get(t, http.MethodGet, address+"/api/orders", "Accept-Encoding", "gzip", "If-None-Match", `"7"`); resp.StatusCode != http.StatusNotModified {
		t.Errorf("with the ETag of a compressed answer: %s, want 304", resp.Status)
	}
	if resp := get(t, http.MethodHead, address+"/api/orders", "Accept-Encoding", "gzip"); resp.StatusCode != http.StatusOK {
		t.Errorf("HEAD: %s", resp.Status)
	}
}
