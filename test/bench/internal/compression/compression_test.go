// Package compression_test measures how much traffic compressed streams would save, and what they would cost. The decision is
// docs/adr/0005.
package compression_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"orderbell/internal/event"
	"orderbell/internal/order"
)

// frames returns n order frames as the gateway writes them, each of another order.
func frames(n int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	statuses := []order.Status{order.Paid, order.Preparing, order.Ready, order.Completed}
	all := make([][]byte, n)
	for i := range all {
		data := event.Data{
			OrderID: uuid.New().String(), TenantID: "kopi", Status: statuses[r.IntN(len(statuses))],
			Reference: fmt.Sprintf("A-%d", 1000+r.IntN(9000)), TotalAmount: int64(r.IntN(500)) * 500, Currency: "IDR",
			Version: int64(1 + r.IntN(5)), Timestamp: time.Date(2026, 11, 24, 10, 0, i, r.IntN(1e9), time.UTC),
		}
		raw, err := json.Marshal(data)
		if err != nil {
			panic(err) // strings and numbers always encode
		}
		all[i] = fmt.Appendf(nil, "id: %s\nevent: order_status_updated\ndata: %s\n\n", uuid.Must(uuid.NewV7()), raw)
	}
	return all
}

// encoder compresses for one stream; a block is complete when flush returns.
type encoder struct {
	write func([]byte)
	flush func()
	reset func(io.Writer)
}

func encoders(tb testing.TB) map[string]func() encoder {
	tb.Helper()
	return map[string]func() encoder{
		"gzip": func() encoder {
			w, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
			if err != nil {
				tb.Fatal(err)
			}
			return encoder{func(b []byte) { _, _ = w.Write(b) }, func() { _ = w.Flush() }, w.Reset}
		},
		"zstd": func() encoder {
			w, err := zstd.NewWriter(io.Discard, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
				zstd.WithWindowSize(8<<10), zstd.WithLowerEncoderMem(true))
			if err != nil {
				tb.Fatal(err)
			}
			return encoder{func(b []byte) { _, _ = w.Write(b) }, func() { _ = w.Flush() }, w.Reset}
		},
	}
}

// BenchmarkOnceForAll compresses each batch independently, so that all clients get the same bytes. The encoder cannot refer to
// earlier batches, because a client may have joined later.
func BenchmarkOnceForAll(b *testing.B) {
	all := frames(1024)
	for name, open := range encoders(b) {
		for _, batch := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/batch=%d", name, batch), func(b *testing.B) {
				e, out, in, n := open(), new(bytes.Buffer), 0, 0
				outs := 0
				for b.Loop() {
					out.Reset()
					e.reset(out)
					for range batch {
						f := all[n%len(all)]
						n++
						in += len(f)
						e.write(f)
					}
					e.flush()
					outs += out.Len()
				}
				b.ReportMetric(float64(outs)/float64(in), "out/in")
			})
		}
	}
}

// BenchmarkForEach has one encoder per connection, which refers to what it has sent before, and flushes after each event.
func BenchmarkForEach(b *testing.B) {
	all := frames(1024)
	for name, open := range encoders(b) {
		b.Run(name, func(b *testing.B) {
			e, out, in, n := open(), new(bytes.Buffer), 0, 0
			e.reset(out)
			for b.Loop() {
				f := all[n%len(all)]
				n++
				in += len(f)
				e.write(f)
				e.flush()
			}
			b.ReportMetric(float64(out.Len())/float64(in), "out/in")
			b.ReportMetric(float64(memory(open, all[0]))/1024, "KiB/conn")
		})
	}
}

// memory returns the bytes that an encoder holds once it has sent an event.
func memory(open func() encoder, frame []byte) uint64 {
	const connections = 100
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := make([]encoder, connections)
	for i := range kept {
		kept[i] = open()
		kept[i].write(frame)
		kept[i].flush()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return (after.HeapAlloc - before.HeapAlloc) / connections
}

// BenchmarkWrite measures the cost of a delivery: one write to a socket of the size of an event with and without compression, and
// of a batch of 64.
func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{190, 380, 5_000, 24_000} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			var lc net.ListenConfig
			listener, err := lc.Listen(b.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer listener.Close() //nolint:errcheck // read to its end
			var d net.Dialer
			client, err := d.DialContext(b.Context(), "tcp", listener.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer client.Close() //nolint:errcheck // the same
			server, err := listener.Accept()
			if err != nil {
				b.Fatal(err)
			}
			defer server.Close() //nolint:errcheck // the same
			go func() { _, _ = io.Copy(io.Discard, client) }()
			chunk := make([]byte, size)
			for b.Loop() {
				if _, err := server.Write(chunk); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
