//go:build conformance

package conformance_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"orderbell/internal/dev/programtest"
	"orderbell/internal/feed/feedtest"
)

// dial opens a TCP connection to the gateway.
func dial(t *testing.T, g *programtest.Program) net.Conn {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", g.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestHeadersHaveALimit(t *testing.T) {
	t.Parallel()
	g := startGateway(t, miniredis.RunT(t))
	b := bundle{tenant: feedtest.Tenant()}
	for size, want := range map[int]int{14 << 10: http.StatusOK, 24 << 10: http.StatusRequestHeaderFieldsTooLarge, 1 << 20: http.StatusRequestHeaderFieldsTooLarge} {
		conn := dial(t, g)
		go func() { // the response arrives before the request is complete
			_, _ = fmt.Fprintf(conn, "GET /api/sse/notifications HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nX: %s\r\n\r\n",
				b.token(t), strings.Repeat("x", size))
		}()
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, fmt.Sprintf("HTTP/1.1 %d ", want)) {
			t.Errorf("%d bytes of headers: %q, %v; want %d", size, line, err, want)
		}
	}
}

func TestSlowRequestsAreCut(t *testing.T) {
	t.Parallel()
	g := startGateway(t, miniredis.RunT(t))
	b := bundle{tenant: feedtest.Tenant()}
	for name, c := range map[string]struct {
		begins string
		most   time.Duration
	}{
		"no byte":                      {"", 15 * time.Second},
		"headers that do not end":      {"GET /api/sse/notifications HTTP/1.1\r\nHost: x\r\n", 15 * time.Second},
		"a body that does not come":    {"POST /api/sse/tickets HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{", 30 * time.Second},
		"one with a token":             {"POST /api/sse/tickets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + b.token(t) + "\r\nContent-Length: 9\r\n\r\n{", 30 * time.Second},
		"a stream asked for by a body": {"GET /api/sse/notifications HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{", 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, g)
			if _, err := io.WriteString(conn, c.begins); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			_, err := io.Copy(io.Discard, conn)
			if took := time.Since(began); err != nil && !strings.Contains(err.Error(), "reset") || took > c.most {
				t.Errorf("after %s: %v; want the gateway to close it within %s", took, err, c.most)
			}
		})
	}
}

// TestAFloodIsRefusedCheaply opens streams of a full gateway as fast as possible, while another stream must go on.
func TestAFloodIsRefusedCheaply(t *testing.T) {
	t.Parallel()
	const flood, workers = 4000, 8
	redis := miniredis.RunT(t)
	g := startGateway(t, redis, "SSE_MAX_CLIENTS_PER_INSTANCE=1")
	b := bundle{
		kind: kind{name: "r3labs"}, open: startR3labs(t, ""), redis: redis, tenant: feedtest.Tenant(),
		feed: feedtest.Open(t, feedtest.Config("redis://"+redis.Addr())),
	}
	b.front = newFront(t, g.Address, b.token(t))
	s := b.begin(t)
	redisBefore := redis.CommandCount()
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for range flood / workers {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.Address+"/api/sse/notifications", nil)
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Authorization", "Bearer not-checked")
				response, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
				after, err := strconv.Atoi(response.Header.Get("Retry-After"))
				if response.StatusCode != http.StatusServiceUnavailable || err != nil || after < 5 || after > 30 {
					t.Errorf("status %d with Retry-After %q", response.StatusCode, response.Header.Get("Retry-After"))
				}
			}
		})
	}
	s.sees(t, b.publish(t, "in the middle of the flood"))
	wait.Wait()
	s.sees(t, b.publish(t, "after it"))
	if asked := redis.CommandCount() - redisBefore; asked > flood/10 {
		t.Errorf("Redis got %d commands for %d refusals", asked, flood)
	}
}
