package visible

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// labelled is the number of tenants with a label of their own. It bounds the metric, however many tenants there are.
	labelled = 20
	// everLabelled bounds the tenants that have had a label since the start: the series of a label stay until the program ends.
	everLabelled = 5 * labelled
	// rankEvery is the time after which a busy tenant gets a label.
	rankEvery = time.Minute
	// counted bounds the tenants whose changes are counted.
	counted = 100_000
	// other is the label of all other tenants.
	other = "other"
)

// ranking gives the busiest tenants a label of their own.
type ranking struct {
	mu      sync.Mutex
	changes map[string]int // by tenant; halved with each ranking, so that the last minutes count
	top     map[string]bool
	ever    map[string]bool
	ranked  time.Time
}

func newRanking() *ranking {
	return &ranking{changes: map[string]int{}, top: map[string]bool{}, ever: map[string]bool{}, ranked: time.Now()}
}

// label counts a change of the tenant and returns its label.
func (r *ranking) label(tenantID string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.changes[tenantID]; known || len(r.changes) < counted {
		r.changes[tenantID]++
	}
	if now := time.Now(); now.Sub(r.ranked) >= rankEvery {
		r.ranked = now
		r.rank()
	}
	if !r.top[tenantID] && len(r.top) < labelled && len(r.ever) < everLabelled {
		r.top[tenantID], r.ever[tenantID] = true, true // there is room
	}
	if r.top[tenantID] {
		return tenantID
	}
	return other
}

// known returns the tenant's label without counting a change.
func (r *ranking) known(tenantID string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.top[tenantID] {
		return tenantID
	}
	return other
}

// rank replaces the tenants that are no longer among the busiest. The caller holds the lock.
func (r *ranking) rank() {
	busiest := slices.SortedFunc(maps.Keys(r.changes), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.changes[b], r.changes[a]), cmp.Compare(a, b))
	})
	top := map[string]bool{}
	for _, tenant := range busiest {
		if len(top) < labelled && (r.ever[tenant] || len(r.ever) < everLabelled) {
			top[tenant], r.ever[tenant] = true, true
		}
	}
	r.top = top
	for tenant, n := range r.changes {
		if r.changes[tenant] = n / 2; n/2 == 0 {
			delete(r.changes, tenant)
		}
	}
}
