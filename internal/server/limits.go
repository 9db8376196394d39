package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"

	"orderbell/internal/problem"
)

// Config has the connection limits of a server and the trusted proxies.
type Config struct {
	MaxConnections int      `envconfig:"HTTP_MAX_CONNECTIONS" default:"20000"`
	MaxPerAddress  int      `envconfig:"HTTP_MAX_CONNECTIONS_PER_ADDRESS" default:"1000"` // all tills of a business may share one address
	TrustedProxies Prefixes `envconfig:"TRUSTED_PROXIES"`                                 // 10.0.0.0/8,…: their X-Forwarded-For counts
}

// Prefixes are networks.
type Prefixes []netip.Prefix

// Decode reads "10.0.0.0/8,192.0.2.7", as envconfig has it.
func (p *Prefixes) Decode(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			address, single := netip.ParseAddr(part)
			if single != nil {
				return fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", part)
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		*p = append(*p, prefix.Masked())
	}
	return nil
}

func (p Prefixes) contain(a netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// Limits counts a server's connections.
//
// The address of a connection is its peer's. A connection of a trusted proxy only counts toward the total; instead each
// request under way counts for the client's address: the last one in X-Forwarded-For that is not a trusted proxy. The
// header is ignored from others. An IPv6 network of 64 bits counts as one address. Loopback addresses are not limited:
// in a pod, they are the queue-proxy.
type Limits struct {
	cfg     Config
	Refused atomic.Int64 // connections and requests

	mu        sync.Mutex
	total     int
	addresses map[netip.Addr]int
}

// NewLimits returns the limits of a configuration.
func NewLimits(cfg Config) *Limits { return &Limits{cfg: cfg, addresses: map[netip.Addr]int{}} }

// Listen wraps a listener so that it refuses connections beyond the limits.
func (l *Limits) Listen(inner net.Listener) net.Listener {
	return &listener{Listener: inner, limits: l}
}

// Open returns the number of connections.
func (l *Limits) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

type listener struct {
	net.Listener

	limits *Limits
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err //nolint:wrapcheck // net/http checks it
		}
		address := l.limits.counted(addressOf(inner.RemoteAddr().String()))
		if !l.limits.enter(address, 1) {
			l.limits.Refused.Add(1)
			_ = inner.Close() // an answer would be too expensive
			continue
		}
		leave := sync.OnceFunc(func() { l.limits.leave(address, 1) })
		if tcp, ok := inner.(*net.TCPConn); ok {
			return &tcpConn{tcp, leave}, nil
		}
		return &anyConn{inner, leave}, nil
	}
}

// tcpConn keeps the methods of a TCP connection, which sendfile and the takeover of streams need.
type tcpConn struct {
	*net.TCPConn

	leave func()
}

func (c *tcpConn) Close() error {
	c.leave()
	return c.TCPConn.Close() //nolint:wrapcheck // as [net.Conn] has it
}

type anyConn struct {
	net.Conn

	leave func()
}

func (c *anyConn) Close() error {
	c.leave()
	return c.Conn.Close() //nolint:wrapcheck // as [net.Conn] has it
}

// enter counts connections; an invalid address is not limited. It returns false beyond a limit.
func (l *Limits) enter(address netip.Addr, connections int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total+connections > l.cfg.MaxConnections || address.IsValid() && l.addresses[address] >= l.cfg.MaxPerAddress {
		return false
	}
	l.total += connections
	if address.IsValid() {
		l.addresses[address]++
	}
	return true
}

func (l *Limits) leave(address netip.Addr, connections int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total -= connections
	if !address.IsValid() {
		return
	}
	if l.addresses[address]--; l.addresses[address] == 0 {
		delete(l.addresses, address)
	}
}

// guard limits the concurrent requests of an address that a trusted proxy names.
func (l *Limits) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer := addressOf(r.RemoteAddr)
		from := l.Address(r)
		r = r.WithContext(context.WithValue(r.Context(), fromKey{}, from))
		if !l.cfg.TrustedProxies.contain(peer) {
			h.ServeHTTP(w, r)
			return
		}
		address := l.counted(from)
		if !l.enter(address, 0) {
			l.Refused.Add(1)
			problem.New(http.StatusTooManyRequests, "the address %s has as many requests in progress as it may have (%d): wait until one has ended", address, l.cfg.MaxPerAddress).
				With("Retry-After", "1").Write(w)
			return
		}
		defer l.leave(address, 0)
		h.ServeHTTP(w, r)
	})
}

type fromKey struct{}

// From returns the client address of a request, as seen by trusted proxies. It is invalid outside of a [New] server.
func From(ctx context.Context) netip.Addr {
	from, _ := ctx.Value(fromKey{}).(netip.Addr)
	return from
}

// ClientAddress returns the client address of a request, as seen by trusted proxies. Outside of a [New] server it is the
// peer's address, or "" if that is malformed.
func ClientAddress(r *http.Request) string {
	from := From(r.Context())
	if !from.IsValid() {
		from = addressOf(r.RemoteAddr)
	}
	if !from.IsValid() {
		return ""
	}
	return from.String()
}

// ClientNetwork returns the network from which one client can choose addresses: 64 bits of an IPv6 address, otherwise the address.
func ClientNetwork(r *http.Request) string {
	address, err := netip.ParseAddr(ClientAddress(r))
	if err != nil {
		return ""
	}
	return network(address).String()
}

func network(a netip.Addr) netip.Addr {
	if a.Is6() {
		if prefix, err := a.Prefix(64); err == nil {
			return prefix.Masked().Addr()
		}
	}
	return a
}

// Address returns the client address of a request, as seen by trusted proxies.
func (l *Limits) Address(r *http.Request) netip.Addr {
	address := addressOf(r.RemoteAddr)
	if !l.cfg.TrustedProxies.contain(address) {
		return address
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && l.cfg.TrustedProxies.contain(address); i-- {
		hop := addressOf(strings.TrimSpace(hops[i]))
		if !hop.IsValid() {
			break
		}
		address = hop
	}
	return address
}

// addressOf returns the address in "address" or "address:port".
func addressOf(text string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().Unmap().WithZone("")
	}
	address, _ := netip.ParseAddr(text)
	return address.Unmap().WithZone("")
}

// counted returns the address to count: invalid for a proxy and for loopback, the network for IPv6.
func (l *Limits) counted(a netip.Addr) netip.Addr {
	if !a.IsValid() || a.IsLoopback() || l.cfg.TrustedProxies.contain(a) {
		return netip.Addr{}
	}
	return network(a)
}
