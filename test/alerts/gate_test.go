//go:build alerts

package alerts_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// gate is a proxy between the programs and a store. While it is shut, the store is unreachable: open connections are closed, and
// new ones are refused.
type gate struct {
	url string // of the store, through the gate

	mu     sync.Mutex
	target string // host:port
	shut   bool
	open   map[net.Conn]bool
}

func newGate(t *testing.T, store string) *gate {
	t.Helper()
	u, err := url.Parse(store)
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{target: u.Host, open: map[net.Conn]bool{}}
	u.Host = l.Addr().String()
	g.url = u.String()
	t.Cleanup(func() { _ = l.Close(); g.set(true, "") })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go g.pass(c)
		}
	}()
	return g
}

// set shuts or opens the gate. If target is not empty, new connections go to that store.
func (g *gate) set(shut bool, target string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	if target != "" {
		g.target = target
	}
	if shut {
		for c := range g.open {
			_ = c.Close()
		}
	}
}

func (g *gate) pass(client net.Conn) {
	defer client.Close() //nolint:errcheck // both ends are done
	g.mu.Lock()
	target := g.target
	if g.shut {
		g.mu.Unlock()
		return
	}
	store, err := net.Dial("tcp", target) //nolint:noctx // on this machine
	if err != nil {
		g.mu.Unlock()
		return
	}
	defer store.Close() //nolint:errcheck // both ends are done
	g.open[client], g.open[store] = true, true
	g.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(store, client); _ = store.Close() })
	both.Go(func() { _, _ = io.Copy(client, store); _ = client.Close() })
	both.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, client)
	delete(g.open, store)
}
