package tenantlog

import (
	"cmp"
	"slices"
	"sync/atomic"
	"unsafe"

	"orderbell/sse-gateway/internal/budget"
)

// ledger counts what the logs hold together, and asks for relief when the budget is used up.
type ledger struct {
	budget  *budget.Budget
	pressed chan struct{} // has room for one
}

// press asks for relief. It does not block.
func (l *ledger) press() {
	select {
	case l.pressed <- struct{}{}:
	default:
	}
}

// logBase is what a log takes besides its segments: itself, its channel, its names here and in the feed.
const logBase = int(unsafe.Sizeof(Log{})) + 768

// settle counts what the log holds now. The caller holds the lock.
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

// leave ends that the log is counted, since it is let go. It returns what it held.
func (l *Log) leave() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := l.charged
	l.total.budget.Logs.Add(int64(-held))
	l.charged, l.gone = 0, true
	return int64(held)
}

// held returns what the log is counted with.
func (l *Log) held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.charged
}

// trim drops the oldest frames until the log holds at most some bytes. Clients that had not read them come back and are sent
// to the snapshot.
func (l *Log) trim(most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.segments) > 0 && l.charged > most {
		l.dropOldest()
		l.settle()
	}
}

// Relieved counts what was given back since the budget was used up.
type Relieved struct {
	Dropped atomic.Int64 // logs that were let go, which had no watchers
	Trimmed atomic.Int64 // times that a watched tenant's log was cut
}

// relieve gives memory back until the budget has some to spare. Logs without watchers go first, those that were left
// longest ago before the others. Then the largest logs are cut, all to the same size: the tenant that takes most loses
// first, and a small one nothing.
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

// dropUnwatched lets go of logs without watchers, at least excess bytes if there are so many. It returns how many.
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

// level returns the size to which the largest have to be cut so that excess is saved.
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
