package load

import (
	"math"
	"sync/atomic"
	"time"
)

// Quantiles are of a latency. A negative latency, from clocks that differ, counts as 0.
type Quantiles struct {
	P50  time.Duration `json:"p50_ns"`
	P90  time.Duration `json:"p90_ns"`
	P99  time.Duration `json:"p99_ns"`
	P999 time.Duration `json:"p999_ns"`
	Most time.Duration `json:"max_ns"`
}

// growth is the ratio of neighbouring bucket widths, which is also the relative error of quantiles.
const growth = 1.02

// histogram counts durations from a microsecond to an hour.
type histogram struct {
	steps [1200]atomic.Int64 // 1.02^1200 µs is more than an hour
	most  atomic.Int64
}

func (h *histogram) add(d time.Duration) {
	micros := max(float64(d)/float64(time.Microsecond), 1)
	at := min(int(math.Log(micros)/math.Log(growth)), len(h.steps)-1)
	h.steps[at].Add(1)
	for most := h.most.Load(); int64(d) > most && !h.most.CompareAndSwap(most, int64(d)); most = h.most.Load() {
	}
}

func (h *histogram) quantiles() Quantiles {
	var total int64
	for i := range h.steps {
		total += h.steps[i].Load()
	}
	return Quantiles{
		P50: h.quantile(0.5, total), P90: h.quantile(0.9, total), P99: h.quantile(0.99, total), P999: h.quantile(0.999, total),
		Most: time.Duration(h.most.Load()),
	}
}

// quantile returns the upper end of the step that the q-th of total is in.
func (h *histogram) quantile(q float64, total int64) time.Duration {
	want := int64(math.Ceil(q * float64(total)))
	if want == 0 {
		return 0
	}
	var sum int64
	for i := range h.steps {
		if sum += h.steps[i].Load(); sum >= want {
			end := time.Duration(math.Pow(growth, float64(i+1)) * float64(time.Microsecond))
			return min(end, time.Duration(h.most.Load()))
		}
	}
	return time.Duration(h.most.Load())
}
