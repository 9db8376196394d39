package fanout_test

import (
	"bufio"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"orderbell/internal/auth"
	"orderbell/sse-gateway/internal/fanout"
	"orderbell/sse-gateway/internal/tenantlog"
	"orderbell/sse-gateway/internal/tenantlog/tenantlogtest"
)

// BenchmarkNoisyNeighbour measures how long a small tenant's frame takes to its one client, alone and beside a tenant with
// 2,000 streams and an event each millisecond.
func BenchmarkNoisyNeighbour(b *testing.B) {
	for _, noisy := range []bool{false, true} {
		name := "quiet"
		if noisy {
			name = "noisy"
		}
		b.Run(name, func(b *testing.B) {
			p := newPool(b, config(), &owner{})
			large, small := tenantlogtest.Local(b, 4<<20, 8192), tenantlogtest.Local(b, 4<<20, 8192)
			var lc net.ListenConfig
			listener, err := lc.Listen(b.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer listener.Close() //nolint:errcheck // nothing is lost
			open := func(log *tenantlog.Log) net.Conn {
				var d net.Dialer
				client, err := d.DialContext(b.Context(), "tcp", listener.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				server, err := listener.Accept()
				if err != nil {
					b.Fatal(err)
				}
				s := fanout.Subscriber{Log: log, Cursor: 1, Heartbeat: 25 * time.Second, Who: auth.Principal{UserID: "u", Expires: time.Now().Add(time.Hour)}}
				if err := p.Take(server, nil, s); err != nil {
					b.Fatal(err)
				}
				return client
			}
			var running sync.WaitGroup
			stop := make(chan struct{})
			if noisy {
				for range 2000 {
					client := open(large)
					running.Go(func() { _, _ = io.Copy(io.Discard, client) })
				}
				running.Go(func() {
					tick := time.NewTicker(time.Millisecond)
					defer tick.Stop()
					for n := 1; ; n++ {
						select {
						case <-tick.C:
							large.Apply(tenantlogtest.Published(n))
						case <-stop:
							return
						}
					}
				})
			}
			client := bufio.NewReader(open(small))
			var took []time.Duration
			for n := 1; b.Loop(); n++ {
				began := time.Now()
				small.Apply(tenantlogtest.Published(n))
				for {
					line, err := client.ReadString('\n')
					if err != nil {
						b.Fatal(err)
					}
					if strings.HasPrefix(line, "data: ") {
						break
					}
				}
				took = append(took, time.Since(began))
				time.Sleep(2 * time.Millisecond) // a shop sells now and then
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
			close(stop)
			p.Close()
			running.Wait()
		})
	}
}
