package fanout_test

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"orderbell/internal/auth"
	"orderbell/internal/duration"
	"orderbell/sse-gateway/internal/budget"
	"orderbell/sse-gateway/internal/fanout"
	"orderbell/sse-gateway/internal/tenantlog"
	"orderbell/sse-gateway/internal/tenantlog/tenantlogtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// owner counts who left.
type owner struct{ left [7]atomic.Int64 }

func (o *owner) Left(_ *tenantlog.Log, _ string, why fanout.Reason) { o.left[why].Add(1) }

func (*owner) Revoked(auth.Principal) (auth.Revocation, bool) { return auth.Revocation{}, false }

func config() fanout.Config {
	return fanout.Config{
		Heartbeat: duration.Seconds(25 * time.Second), Drain: duration.Seconds(time.Second),
		WriteTimeout: duration.Seconds(30 * time.Second), TokenNotice: duration.Seconds(30 * time.Second),
	}
}

func newPool(tb testing.TB, cfg fanout.Config, o fanout.Owner) *fanout.Pool {
	tb.Helper()
	return newPoolWithin(tb, newBudget(tb, 1<<30), cfg, o)
}

func newBudget(tb testing.TB, bytes int64) *budget.Budget {
	tb.Helper()
	memory, err := budget.New(budget.Config{Bytes: bytes})
	if err != nil {
		tb.Fatal(err)
	}
	return memory
}

func newPoolWithin(tb testing.TB, memory *budget.Budget, cfg fanout.Config, o fanout.Owner) *fanout.Pool {
	tb.Helper()
	p, err := fanout.New(cfg, o, memory)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	return p
}

func TestTakeRefusesWhatHasNoSocket(t *testing.T) {
	t.Parallel()
	p := newPool(t, config(), &owner{})
	a, b := net.Pipe()
	defer b.Close() //nolint:errcheck // a pipe
	if err := p.Take(a, nil, fanout.Subscriber{Log: tenantlogtest.Local(t, 1<<20, 100), Cursor: 1}); err == nil {
		t.Error("a pipe was taken over")
	}
}

// BenchmarkFanout writes events to 500 clients over loopback: one event after the other, and all at once.
func BenchmarkFanout(b *testing.B) {
	if !fanout.CanTake {
		b.Skip("this system serves each client from a goroutine")
	}
	const clients = 500
	for _, burst := range []int{1, 64} {
		b.Run(fmt.Sprintf("burst=%d", burst), func(b *testing.B) {
			log := tenantlogtest.Local(b, 64<<20, 1<<20)
			p := newPool(b, config(), &owner{})
			var lc net.ListenConfig
			listener, err := lc.Listen(b.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			var readers sync.WaitGroup
			for range clients {
				var d net.Dialer
				client, err := d.DialContext(b.Context(), "tcp", listener.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				server, err := listener.Accept()
				if err != nil {
					b.Fatal(err)
				}
				readers.Go(func() { _, _ = io.Copy(io.Discard, client) })
				if err := p.Take(server, nil, fanout.Subscriber{Log: log, Cursor: 1, Heartbeat: 25 * time.Second, Who: auth.Principal{UserID: "u", Expires: time.Now().Add(time.Hour)}}); err != nil {
					b.Fatal(err)
				}
			}
			n := 0
			for b.Loop() {
				for range burst {
					n++
					log.Apply(tenantlogtest.Published(n))
				}
				for p.Counts.Deliveries.Load() < int64(n)*clients {
					time.Sleep(50 * time.Microsecond) // spinning would take a core from the workers
				}
			}
			b.ReportMetric(float64(n)*clients/b.Elapsed().Seconds(), "deliveries/s")
			p.Close()
			_ = listener.Close()
			readers.Wait()
		})
	}
}
