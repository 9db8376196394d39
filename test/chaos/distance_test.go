//go:build chaos

package chaos_test

import (
	"net"
	"sync"
	"testing"
	"time"
)

// newDistance returns an address that leads to target, where data arrives later by the delay in each direction. The amount of
// data is not limited: only the time is added, as between two zones.
func newDistance(t *testing.T, target string, delay time.Duration) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close() //nolint:errcheck // a proxy's end
				server, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(t.Context(), "tcp", target)
				if err != nil {
					return
				}
				defer server.Close() //nolint:errcheck // a proxy's end
				var both sync.WaitGroup
				both.Go(func() { passLater(server, client, delay) })
				both.Go(func() { passLater(client, server, delay) })
				both.Wait()
			}()
		}
	}()
	return l.Addr().String()
}

// passLater copies one direction until an end closes it. It reads on while earlier data waits.
func passLater(to, from net.Conn, delay time.Duration) {
	type piece struct {
		data []byte
		due  time.Time
	}
	pieces := make(chan piece, 1024)
	go func() {
		defer close(pieces)
		for {
			buffer := make([]byte, 16<<10)
			n, err := from.Read(buffer)
			if err != nil {
				return
			}
			pieces <- piece{buffer[:n], time.Now().Add(delay)}
		}
	}()
	for p := range pieces {
		<-time.After(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			_ = from.Close()
		}
	}
	_ = to.Close()
}
