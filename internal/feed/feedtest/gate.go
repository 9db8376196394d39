package feedtest

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Gate passes bytes between clients and a server, or drops them while it is shut. The connections stay open, as those of a
// process that is stopped.
type Gate struct {
	Addr string
	shut atomic.Bool
}

// NewGate returns an open gate to the server at target.
func NewGate(t *testing.T, target string) *Gate {
	t.Helper()
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &Gate{Addr: listener.Addr().String()}
	var running sync.WaitGroup
	var mu sync.Mutex
	conns := []io.Closer{listener}
	t.Cleanup(func() {
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	pass := func(to, from net.Conn) {
		buf := make([]byte, 32<<10)
		for {
			n, err := from.Read(buf)
			if err != nil {
				return
			}
			if g.shut.Load() {
				continue
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
	}
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			var d net.Dialer
			server, err := d.DialContext(context.Background(), "tcp", target)
			if err != nil {
				_ = client.Close()
				continue
			}
			mu.Lock()
			conns = append(conns, client, server)
			mu.Unlock()
			running.Go(func() { pass(server, client) })
			running.Go(func() { pass(client, server) })
		}
	})
	return g
}

// Shut shuts the gate, or opens it again.
func (g *Gate) Shut(shut bool) { g.shut.Store(shut) }
