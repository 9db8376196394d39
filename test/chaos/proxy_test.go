//go:build chaos

package chaos_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// direction is one way through a proxy.
type direction int

const (
	up   direction = iota // from the programs to the server
	down                  // from the server to the programs
)

// proxy is between the programs and a server, and simulates faults of a network.
type proxy struct {
	address  string // where the programs connect
	listener net.Listener

	mu      sync.Mutex
	changed *sync.Cond
	target  string // the server; set before the first connection
	held    [2]bool
	refuse  bool
	lines   map[*line]bool
}

// line is one connection through a proxy.
type line struct {
	client, server *net.TCPConn
	lost           [2]bool // data in this direction is dropped; guarded by the proxy's mu
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: l.Addr().String(), listener: l, target: target, lines: map[*line]bool{}}
	p.changed = sync.NewCond(&p.mu)
	go p.accept()
	t.Cleanup(func() {
		_ = l.Close()
		p.release()
		p.cut()
	})
	return p
}

// setTarget sends every new connection to another server.
func (p *proxy) setTarget(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = address
}

func (p *proxy) currentTarget() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.target
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		client, ok := c.(*net.TCPConn)
		if !ok {
			continue
		}
		p.mu.Lock()
		target, refuse := p.target, p.refuse
		p.mu.Unlock()
		if refuse {
			reset(client)
			continue
		}
		go p.connect(client, target)
	}
}

func (p *proxy) connect(client *net.TCPConn, target string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", target)
	server, ok := c.(*net.TCPConn)
	if err != nil || !ok {
		reset(client) // as from a machine without a listener
		return
	}
	l := &line{client: client, server: server}
	p.mu.Lock()
	p.lines[l] = true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.pass(l, up, server, client) })
	both.Go(func() { p.pass(l, down, client, server) })
	both.Wait()
	p.mu.Lock()
	delete(p.lines, l)
	p.mu.Unlock()
	_ = client.Close()
	_ = server.Close()
}

// pass copies one direction until its sender closes it or the line is cut.
func (p *proxy) pass(l *line, d direction, to, from *net.TCPConn) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !p.mayPass(l, d) {
			continue
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				reset(from)
				return
			}
		}
		if err != nil {
			if p.mayPass(l, d) {
				_ = to.CloseWrite()
			}
			return
		}
	}
}

// mayPass waits while the direction is held. It returns false if the data is to be dropped.
func (p *proxy) mayPass(l *line, d direction) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.held[d] {
		p.changed.Wait()
	}
	return !l.lost[d]
}

// hold delays data in the directions, on old and new connections, until release.
func (p *proxy) hold(ways ...direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range ways {
		p.held[d] = true
	}
}

func (p *proxy) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = [2]bool{}
	p.refuse = false
	p.changed.Broadcast()
}

// lose makes the current connections half-open: it drops all further data in the directions, and neither end is notified. New
// connections work.
func (p *proxy) lose(ways ...direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.lines {
		for _, d := range ways {
			l.lost[d] = true
		}
	}
}

// cut resets the current connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.lines {
		reset(l.client)
		reset(l.server)
	}
}

// refuseAll resets the current connections, and every new one until release.
func (p *proxy) refuseAll() {
	p.mu.Lock()
	p.refuse = true
	p.mu.Unlock()
	p.cut()
}

func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}
