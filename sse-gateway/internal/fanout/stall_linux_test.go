package fanout_test

import (
	"net"
	"testing"
	"time"

	"orderbell/internal/auth"
	"orderbell/sse-gateway/internal/fanout"
	"orderbell/sse-gateway/internal/tenantlog/tenantlogtest"
)

// TestClientsThatDoNotReadHoldAQuarterOfTheBudgetAtMost opens sixty streams and reads none. The clients that have not read for
// longest are closed before the write timeout, so that the bytes that wait in sockets stay bounded.
func TestClientsThatDoNotReadHoldAQuarterOfTheBudgetAtMost(t *testing.T) {
	t.Parallel()
	const clients, limit = 60, 8 << 20
	memory, who := newBudget(t, limit), &owner{}
	p := newPoolWithin(t, memory, config(), who)
	log := tenantlogtest.Local(t, 16<<20, 1<<16)
	for n := 1; n <= 20_000; n++ {
		log.Apply(tenantlogtest.Published(n))
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // nothing is lost
	for range clients {
		var d net.Dialer
		client, err := d.DialContext(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		server, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		s := fanout.Subscriber{Log: log, Cursor: 1, Heartbeat: 25 * time.Second, Who: auth.Principal{UserID: "u", Expires: time.Now().Add(time.Hour)}}
		if err := p.Take(server, nil, s); err != nil {
			t.Fatal(err)
		}
	}
	within := func(what string, ok func() bool) {
		t.Helper()
		for over := time.After(20 * time.Second); !ok(); {
			select {
			case <-over:
				t.Fatalf("not yet: %s; %d stalls, %d closed, %d bytes unsent", what, p.Counts.Stalls.Load(), who.left[fanout.Stalled].Load(), memory.Unsent.Load())
			case <-time.After(time.Millisecond):
			}
		}
	}
	within("all clients were written to until they took no more", func() bool { return p.Counts.Stalls.Load() >= clients })
	within("some were closed, and the others hold a quarter of the budget at most", func() bool {
		closed := who.left[fanout.Stalled].Load()
		return closed > 0 && closed < clients && memory.Unsent.Load() <= limit/4 && memory.Unsent.Load() > 0
	})
	p.Close()
	if used := memory.Used(); used != 0 {
		t.Errorf("%d bytes are counted after the last stream has ended", used)
	}
}
