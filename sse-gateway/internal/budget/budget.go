// Package budget bounds the gateway's memory: it counts what logs, streams and the buffers of slow readers hold, and
// says by how much that is too much.
package budget

import (
	"fmt"
	"math"
	"runtime/debug"
	"sync/atomic"
)

// Config is the one setting.
type Config struct {
	// Bytes of logs, streams and unsent frames together; 0: half of the process's memory limit (GOMEMLIMIT, or the
	// container's), and 1 GiB where there is no limit.
	Bytes int64 `envconfig:"SSE_MEMORY_BUDGET_BYTES" default:"0"`
}

const (
	unlimited = 1 << 30 // the budget of a process without a limit
	least     = 8 << 20 // what a handful of logs and streams takes
)

// Budget is what may be held, and what is. All methods may be called at the same time.
type Budget struct {
	limit   int64
	Logs    atomic.Int64 // tenants' logs with their index
	Streams atomic.Int64 // what each open stream holds
	Unsent  atomic.Int64 // in the buffers of streams whose clients do not read
}

// New returns the budget of a configuration.
func New(cfg Config) (*Budget, error) {
	limit := cfg.Bytes
	if limit == 0 {
		limit = unlimited
		if most := debug.SetMemoryLimit(-1); most < math.MaxInt64 {
			// The collector lets the heap grow to twice of what is in use before it works harder.
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

// Over says whether more is held than may be.
func (b *Budget) Over() bool { return b.Used() > b.limit }

// Excess returns how many bytes have to go, so that a while passes before it is too much again.
func (b *Budget) Excess() int64 { return b.Used() - b.limit + b.limit/reserve }

// reserve is the part of the budget that is free after memory was given back.
const reserve = 16

// TooMuchUnsent says whether slow readers hold more than their quarter.
func (b *Budget) TooMuchUnsent() bool { return b.Unsent.Load() > b.limit/4 }
