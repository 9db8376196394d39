package origin_test

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"orderbell/internal/origin"
	"orderbell/internal/problem/problemtest"
	"orderbell/internal/server"
)

// TestProblems has one request for each refusal of an origin itself: as a problem for programs, as text for a browser that loads a
// file.
func TestProblems(t *testing.T) {
	t.Parallel()
	var book problemtest.Book
	dist := fstest.MapFS{"index.html": {Data: []byte("<!doctype html>")}, "assets/app-1a.js": {Data: []byte("export {}")}}
	files, err := origin.NewFiles(brokenFiles{dist, "assets/app-1a.js"})
	if err != nil {
		t.Fatal(err)
	}
	target := backend(t, func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			<-r.Context().Done() // the origin answers
		}
		panic(http.ErrAbortHandler)
	})
	times := server.Public()
	times.Read = time.Second
	address := within(t, origin.New(origin.Config{Routes: []origin.Route{{Path: "/api/orders", Target: target}}, Files: files, Log: quiet()}), times)
	at := "http://" + address
	book.Add(t, "GET /api/ordersheet: a path of no program", get(t, http.MethodGet, at+"/api/ordersheet"))
	book.Add(t, "GET /api/orders?limit=%zz: a malformed query", get(t, http.MethodGet, at+"/api/orders?limit=%zz"))
	book.Add(t, "GET /api/orders: the program does not answer", get(t, http.MethodGet, at+"/api/orders"))
	book.Add(t, "POST /api/orders: a body over the limit", post(t, at+"/api/orders", io.LimitReader(zeros{}, 4<<20+1)))
	withheld, err := http.ReadResponse(bufio.NewReader(send(t, address, "POST /api/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx")), nil)
	if err != nil {
		t.Fatal(err)
	}
	book.Add(t, "POST /api/orders: a body that does not arrive", withheld)
	book.AddText(t, "POST /: another method", post(t, at+"/", strings.NewReader("x")))
	book.AddText(t, "GET /assets/app-00.js: a file of an older build", get(t, http.MethodGet, at+"/assets/app-00.js"))
	book.AddText(t, "GET /assets/app-1a.js.map: a source map", get(t, http.MethodGet, at+"/assets/app-1a.js.map"))
	book.AddText(t, "GET /assets/app-1a.js: a file that cannot be read", get(t, http.MethodGet, at+"/assets/app-1a.js"))
	delete(dist, "index.html")
	book.AddText(t, "GET /: no build", get(t, http.MethodGet, at+"/"))
	book.Compare(t)
}

func post(t *testing.T, address string, body io.Reader) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, io.NopCloser(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// brokenFiles has one file that cannot be read.
type brokenFiles struct {
	fs.FS

	broken string
}

func (b brokenFiles) Open(name string) (fs.File, error) {
	f, err := b.FS.Open(name)
	if err != nil || name != b.broken {
		return f, err //nolint:wrapcheck // a file system's own error
	}
	return brokenFile{f}, nil
}

type brokenFile struct{ fs.File }

func (brokenFile) Read([]byte) (int, error)       { return 0, errors.New("input/output error") }
func (brokenFile) Seek(int64, int) (int64, error) { return 0, nil }
