package feed

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// dialer is go-redis's dial function.
type dialer = func(ctx context.Context, network, addr string) (net.Conn, error)

// connections decides which connections may be reused. After a failover with a virtual address or a DNS name, old
// connections may stay open to the old server, while new ones reach the new master. So when a server answers on one
// connection that it cannot serve, all connections to its address of the same age or older are replaced before their
// next use. go-redis itself does this only for READONLY, and for one connection at a time.
type connections struct {
	mu          sync.Mutex
	generations map[string]*atomic.Int64 // by address; counts how often its connections were retired
}

func (c *connections) of(addr string) *atomic.Int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generations == nil {
		c.generations = map[string]*atomic.Int64{}
	}
	g := c.generations[addr]
	if g == nil {
		g = &atomic.Int64{}
		c.generations[addr] = g
	}
	return g
}

// watch wraps a dialer so that its connections are watched.
func (c *connections) watch(dial dialer) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		current := c.of(addr)
		born := current.Load() // read before the connection is made, so that it counts as old if it is retired meanwhile
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		raw, _ := conn.(syscall.Conn)
		return &watchedConn{Conn: conn, raw: raw, current: current, born: born}, nil
	}
}

// watchedConn is a connection that is not used again once its server has said that it cannot serve.
type watchedConn struct {
	net.Conn
	raw     syscall.Conn // nil with TLS
	current *atomic.Int64
	born    int64
}

// errRetired makes go-redis close the connection and take another one.
var errRetired = errors.New("the connection was retired, since its server cannot serve")

func (c *watchedConn) retired() bool { return c.born < c.current.Load() }

func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if cannotServe(b[:n]) {
		c.current.CompareAndSwap(c.born, c.born+1)
	}
	return n, err
}

// SyscallConn lets go-redis check before each use whether the peer has closed the connection. A retired connection looks closed to
// it. A subscription is not checked this way: [Feed.checkAll] replaces it. With TLS the check sees nothing else, since a record that
// has arrived need not be an answer.
func (c *watchedConn) SyscallConn() (syscall.RawConn, error) {
	if c.retired() {
		return nil, errRetired
	}
	if c.raw == nil {
		return unseen{}, nil
	}
	return c.raw.SyscallConn()
}

// unseen is a connection whose state go-redis does not look at.
type unseen struct{}

func (unseen) Control(func(uintptr)) error    { return nil }
func (unseen) Read(func(uintptr) bool) error  { return nil }
func (unseen) Write(func(uintptr) bool) error { return nil }

// cannotServe reports whether an answer of the server has an error that a new connection may not have. A false match
// within an order's data only costs a connection.
func cannotServe(answer []byte) bool {
	if bytes.IndexByte(answer, '-') < 0 {
		return false
	}
	for _, err := range [...]string{"READONLY ", "NOREPLICAS ", "LOADING ", "MASTERDOWN ", "CLUSTERDOWN ", "NOAUTH "} {
		e := []byte("-" + err)
		if bytes.HasPrefix(answer, e) || bytes.Contains(answer, append([]byte("\n"), e...)) ||
			bytes.HasPrefix(answer, []byte("-ERR ")) && bytes.Contains(answer, e) { // of a script, before Redis 7
			return true
		}
	}
	return false
}

// dialOf returns go-redis's own dialer for o, watched.
func (c *connections) dialOf(o *redis.Options) dialer { return c.watch(redis.NewDialer(o)) }
