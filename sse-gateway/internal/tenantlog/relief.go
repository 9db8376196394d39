package tenantlog

import (
	"cmp"
	"slices"
	"sync/atomic"
	"unsafe"

	"orderbell/sse-gateway/internal/budget"
)

// ledger counts the bytes of all logs, and requests relief when the budget is used up.
type ledger struct {
	budget  *budget.Budget
	pressed chan struct{} // has room for one
}

// press requests relief. It does not block.
func (l *ledger) press() {
	select {
	case l.pressed <- struct{}{}:
	default:
	}
}

// logBase is the memory of a log besides its segments: itself, its channel, its names here and in the feed.
const logBase = int(unsafe.Sizeof(Log{})) + 768

// settle counts the log's current bytes. The caller holds the lock.
func (l *Log) settle() {
	if l.gone {
		return
	}
	held := logBase + len(l.TenantID) + cap(l.segments)*int(unsafe.Sizeof(&segment{})) + l.bytes
	if held == l.charged {
		return
	}
	grown := held > l.charged
	l.total.budget.Logs.Add(int64(held - l.charged))
	l.charged = held
	if grown && l.total.budget.Over() {
		l.total.press()
	}
}

// leave stops counting the log, because it is removed. It returns its bytes.
func (l *Log) leave() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := l.charged
	l.total.budget.Logs.Add(int64(-held))
	l.charged, l.gone = 0, true
	return int64(held)
}

// held returns the counted bytes of the log.
func (l *Log) held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.charged
}

// trim drops the oldest frames until the log has at most the given bytes. Clients that had not read them reconnect and
// load the snapshot.
func (l *Log) trim(most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.segments) > 0 && l.charged > most {
		l.dropOldest()
		l.settle()
	}
}

// Relieved counts the effects of relief.
type Relieved struct {
	Dropped atomic.Int64 // removed logs without watchers
	Trimmed atomic.Int64 // cuts of logs with watchers
}

// relieve frees memory until the budget has a reserve. Logs without watchers are removed first, those without one for
// longest before the others. Then the largest logs are cut to the same size, so that the tenant with the most bytes
// loses first and a small one nothing.
func (l *Logs) relieve() {
	excess := l.Budget.Excess()
	if !l.Budget.Over() {
		return
	}
	excess -= l.dropUnwatched(excess)
	if excess <= 0 {
		return
	}
	all := l.all()
	sizes := make([]int, len(all))
	for i, log := range all {
		sizes[i] = log.held()
	}
	most := level(sizes, int(excess))
	for i, log := range all {
		if sizes[i] > most {
			log.trim(most)
			l.Relieved.Trimmed.Add(1)
		}
	}
}

// dropUnwatched removes logs without watchers until at least excess bytes are free. It returns the freed bytes.
func (l *Logs) dropUnwatched(excess int64) (freed int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var unwatched []*Log
	for _, log := range l.logs {
		if log.watchers == 0 {
			unwatched = append(unwatched, log)
		}
	}
	slices.SortFunc(unwatched, func(a, b *Log) int { return cmp.Compare(a.left, b.left) })
	for _, log := range unwatched {
		if freed >= excess {
			break
		}
		freed += l.letGo(log)
		l.Relieved.Dropped.Add(1)
	}
	return freed
}

// level returns the size to which the largest logs must be cut to free excess bytes.
func level(sizes []int, excess int) int {
	sorted := slices.Clone(sizes)
	slices.SortFunc(sorted, func(a, b int) int { return cmp.Compare(b, a) })
	for i := range sorted {
		next := 0
		if i+1 < len(sorted) {
			next = sorted[i+1]
		}
		if saved := (i + 1) * (sorted[i] - next); saved < excess {
			excess -= saved
			continue
		}
		return sorted[i] - (excess+i)/(i+1)
	}
	return 0
}
