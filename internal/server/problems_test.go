package server_test

import (
	"bufio"
	"net/http"
	"testing"

	"orderbell/internal/problem/problemtest"
	"orderbell/internal/server"
)

// TestProblems has one request for each problem of a server itself.
func TestProblems(t *testing.T) {
	t.Parallel()
	var book problemtest.Book
	var trusted server.Prefixes
	if err := trusted.Decode("127.0.0.0/8"); err != nil {
		t.Fatal(err)
	}
	entered := make(chan struct{})
	address, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("boom")
		}
		entered <- struct{}{}
		<-r.Context().Done()
	}, server.Config{MaxConnections: 100, MaxPerAddress: 1, TrustedProxies: trusted}, server.Public())
	add := func(request, what, header string) {
		t.Helper()
		conn := dial(t, address, request+" HTTP/1.1\r\nHost: x\r\n"+header+"\r\n")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		book.Add(t, request+": "+what, res)
	}
	add("POST /", "a body over the limit", "Content-Length: 5000000\r\n")
	add("GET /panic", "a fault of the program", "")
	dial(t, address, "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
	<-entered
	add("GET /", "more requests from one address than are allowed, through a proxy", "X-Forwarded-For: 192.0.2.1\r\n")
	book.Compare(t)
}
