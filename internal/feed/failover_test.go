package feed_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"orderbell/internal/feed/feedtest"
)

// address is a virtual address: a connection reaches the server that the address leads to at that time, and stays there.
type address struct {
	listener net.Listener
	secure   bool         // TLS ends here
	server   atomic.Value // string
	answer   atomic.Value // string: what old connections answer from now on, "" to pass on

	mu  sync.Mutex
	old map[net.Conn]bool
}

func listenAt(t *testing.T, server string, secure bool) *address {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if secure {
		known := httptest.NewTLSServer(http.NotFoundHandler()) // it has a certificate
		known.Close()
		l = tls.NewListener(l, &tls.Config{Certificates: known.TLS.Certificates, MinVersion: tls.VersionTLS12})
	}
	a := &address{listener: l, secure: secure, old: map[net.Conn]bool{}}
	a.server.Store(server)
	a.answer.Store("")
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			a.mu.Lock()
			a.old[client] = false
			a.mu.Unlock()
			conns.Go(func() { a.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		a.mu.Lock()
		for c := range a.old {
			_ = c.Close()
		}
		a.mu.Unlock()
		conns.Wait()
	})
	return a
}

func (a *address) url() string {
	if a.secure {
		return "rediss://" + a.listener.Addr().String() + "?skip_verify=true"
	}
	return "redis://" + a.listener.Addr().String() + "?"
}

// leadTo makes new connections reach another server. The old ones stay, and answer every command with answer if it is not
// empty.
func (a *address) leadTo(server, answer string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for c := range a.old {
		a.old[c] = true
	}
	a.server.Store(server)
	a.answer.Store(answer)
}

func (a *address) serve(client net.Conn) {
	defer client.Close() //nolint:errcheck // it may be closed
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", a.server.Load().(string))
	if err != nil {
		return
	}
	defer server.Close() //nolint:errcheck // it may be closed
	go func() { _, _ = io.Copy(client, server); _ = client.Close() }()
	b := make([]byte, 64<<10)
	for {
		n, err := client.Read(b)
		if err != nil {
			return
		}
		a.mu.Lock()
		answer := a.answer.Load().(string)
		if ping := bytes.EqualFold(b[:n], []byte("*1\r\n$4\r\nping\r\n")); !a.old[client] || ping && strings.HasPrefix(answer, "READONLY") {
			answer = "" // a demoted master answers pings as before
		}
		a.mu.Unlock()
		if answer != "" {
			_, err = client.Write([]byte("-" + answer + "\r\n"))
		} else {
			_, err = server.Write(b[:n])
		}
		if err != nil {
			return
		}
	}
}

func TestAServerThatCannotServeLosesItsConnections(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"a replica":               "READONLY You can't write against a read only replica.",
		"a replica, in a script":  "READONLY You can't write against a read only replica. script: f_1, on @user_script:1.",
		"a replica, before 7":     "ERR Error running script (call to f_1): @user_script: 9: -READONLY You can't write against a read only replica.",
		"a server that starts":    "LOADING Redis is loading the dataset in memory",
		"a replica cut off":       "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
		"a cluster without slots": "CLUSTERDOWN The cluster is down",
		"a master cut off":        "NOREPLICAS Not enough good replicas to write.",
		"a proxy that forgot who": "NOAUTH Authentication required.",
	} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %t", name, secure), func(t *testing.T) {
				t.Parallel()
				leavesServer(t, answer, secure)
			})
		}
	}
}

// leavesServer has the connections of a feed answer with an error, and expects that new ones are used.
func leavesServer(t *testing.T, answer string, secure bool) {
	t.Helper()
	before, after := miniredis.RunT(t), miniredis.RunT(t)
	at := listenAt(t, before.Addr(), secure)
	// One retry: a second connection of the same age must not be tried.
	f, tenant := feedtest.Open(t, feedtest.Config(at.url()+"&max_retries=1&min_idle_conns=4")), feedtest.Tenant()
	var all sync.WaitGroup
	for n := range 4 { // several connections are open
		all.Go(func() {
			if err := f.Publish(t.Context(), tenant, feedtest.Message(tenant, n+1)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	at.leadTo(after.Addr(), answer)
	_ = f.Ping(t.Context()) // one command may meet the answer
	for n := range 8 {
		if err := f.Ping(t.Context()); err != nil {
			t.Fatalf("ping %d after the failover: %v", n, err)
		}
		if err := f.Publish(t.Context(), tenant, feedtest.Message(tenant, n+10)); err != nil {
			t.Fatalf("publish %d after the failover: %v", n, err)
		}
		if _, _, err := f.Lookup(t.Context(), tenant, feedtest.Message(tenant, n).ID); err != nil {
			t.Fatalf("lookup %d after the failover: %v", n, err)
		}
	}
	at.mu.Lock()
	defer at.mu.Unlock()
	if n := len(at.old); n > 20 {
		t.Errorf("%d connections were made for 29 commands: they are not kept", n)
	}
}

// TestASubscriptionLeavesASilentServer keeps the subscription's connection open to a server to which nothing is published any more.
func TestASubscriptionLeavesASilentServer(t *testing.T) {
	t.Parallel()
	before, after := miniredis.RunT(t), miniredis.RunT(t)
	at := listenAt(t, before.Addr(), false)
	follower, publisher, tenant := feedtest.Open(t, feedtest.Config(at.url())), feedtest.Open(t, feedtest.Config(at.url())), feedtest.Tenant()
	sink := feedtest.Run(t, follower)
	follower.Follow(tenant)
	sink.Next(t)
	at.leadTo(after.Addr(), "READONLY You can't write against a read only replica.")
	for h := sink.Next(t); !h.Confirmed; h = sink.Next(t) {
	}
	m := feedtest.Message(tenant, 1)
	if err := publisher.Publish(t.Context(), tenant, m); err != nil {
		t.Fatal(err)
	}
	if h := sink.Next(t); h.Published.Message.ID != m.ID {
		t.Errorf("heard %+v, want the message", h)
	}
}

// TestHintsLeaveADemotedMaster keeps the old connections open, as a virtual address does, the subscription's too.
func TestHintsLeaveADemotedMaster(t *testing.T) {
	t.Parallel()
	before, after := miniredis.RunT(t), miniredis.RunT(t)
	at := listenAt(t, before.Addr(), false)
	listener, publisher := feedtest.Open(t, feedtest.Config(at.url())), feedtest.Open(t, feedtest.Config(at.url()))
	heard := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	var hearing sync.WaitGroup
	hearing.Go(func() {
		listener.Hints(ctx, func() {
			select {
			case heard <- struct{}{}:
			default:
			}
		})
	})
	defer hearing.Wait()
	defer cancel()
	hear := func(what string) {
		t.Helper()
		again, late := time.NewTicker(50*time.Millisecond), time.NewTimer(30*time.Second)
		defer again.Stop()
		defer late.Stop()
		for {
			select {
			case <-heard:
				return
			case <-again.C:
				_ = publisher.Hint(t.Context()) // one may meet the old master
			case <-late.C:
				t.Fatalf("no hint is heard %s", what)
			}
		}
	}
	hear("at the start")
	at.leadTo(after.Addr(), "READONLY You can't write against a read only replica.")
	select { // one that came before
	case <-heard:
	default:
	}
	hear("after the failover")
	hear("after the subscription has moved")
}
