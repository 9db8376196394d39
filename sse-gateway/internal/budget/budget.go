// Package budget bounds the gateway's memory: it counts the bytes of logs, streams and the buffers of slow readers, and
// returns the excess.
package budget

import (
	"fmt"
	"math"
	"runtime/debug"
	"sync/atomic"
)

// Config has the size of the budget.
type Config struct {
	// Bytes of logs, streams and unsent frames together; 0: half of the process's memory limit (GOMEMLIMIT, or the
	// container's), and 1 GiB where there is no limit.
	Bytes int64 `envconfig:"SSE_MEMORY_BUDGET_BYTES" default:"0"`
}

const (
	unlimited = 1 << 30 // the budget of a process without a limit
	least     = 8 << 20 // the minimum, for a few logs and streams
)

// Budget has the limit and the current use. It is safe for concurrent use.
type Budget struct {
	limit   int64
	Logs    atomic.Int64 // tenants' logs with their index
	Streams atomic.Int64 // bytes of open streams
	Unsent  atomic.Int64 // bytes in the buffers of streams whose clients do not read
}

// New returns the budget of a configuration.
func New(cfg Config) (*Budget, error) {
	limit := cfg.Bytes
	if limit == 0 {
		limit = unlimited
		if most := debug.SetMemoryLimit(-1); most < math.MaxInt64 {
			// The garbage collector lets the heap grow to twice the live size.
			limit = max(most/2, least)
		}
	}
	if limit < least {
		return nil, fmt.Errorf("SSE_MEMORY_BUDGET_BYTES is %d, want %d or more, or 0 for half of the memory limit", cfg.Bytes, int64(least))
	}
	return &Budget{limit: limit}, nil
}

// Limit returns how many bytes may be held.
func (b *Budget) Limit() int64 { return b.limit }

// Used returns how many bytes are held.
func (b *Budget) Used() int64 { return b.Logs.Load() + b.Streams.Load() + b.Unsent.Load() }

// Over reports whether the use is above the limit.
func (b *Budget) Over() bool { return b.Used() > b.limit }

// Excess returns the bytes to free, including a reserve, so that the limit is not reached again at once.
func (b *Budget) Excess() int64 { return b.Used() - b.limit + b.limit/reserve }

// reserve is the part of the budget that is free after memory was given back.
const reserve = 16

// TooMuchUnsent reports whether slow readers hold more than a quarter of the limit.
func (b *Budget) TooMuchUnsent() bool { return b.Unsent.Load() > b.limit/4 }
