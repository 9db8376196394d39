//go:build chaos

package chaos_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// report collects the results of the run.
type report struct {
	target, part string // of make, and which of its tests
	seed, rounds uint64
	started      time.Time
	rows         []*row
	deadLetters  int
	audit        audit // of the whole run
}

// row is one fault's line of the table.
type row struct {
	fault      string
	tenants    []tenant
	orders     int
	events     int
	injected   int
	lost       int
	duplicated int
	recovery   time.Duration
	took       time.Duration // of the load
	resyncs    int
	again      int // frames with an event that the watcher already had
	mails      mails
	audit      audit
}

func (r *row) add(f finding) {
	if f.duplicate {
		r.duplicated += len(f.which)
	} else {
		r.lost += len(f.which)
	}
}

func (r *row) String() string {
	return fmt.Sprintf("%d orders in %.1f s (%.0f a second), %d events, %d faults, %d lost, %d duplicated, recovered after %.1f s; watchers: %d resyncs, %d repeated frames",
		r.orders, r.took.Seconds(), r.rate(), r.events, r.injected, r.lost, r.duplicated, r.recovery.Seconds(), r.resyncs, r.again)
}

// rate returns the orders per second, the time of the fault included.
func (r *row) rate() float64 {
	if r.took <= 0 {
		return 0
	}
	return float64(r.orders) / r.took.Seconds()
}

func (r *report) write(t *testing.T) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "`make %s` at %s, %.0f s, %d orders a second offered. Seed %d, rounds %d: `CHAOS_SEED=%d CHAOS_ROUNDS=%d` repeats it.\n\n",
		r.target, time.Now().UTC().Format(time.RFC3339), time.Since(r.started).Seconds(), rate, r.seed, r.rounds, r.seed, r.rounds)
	b.WriteString("| fault | orders/s | events sent | faults injected | lost | duplicated | recovery | verified | offenders | resyncs | e-mails sent | failed | sent again | ambiguous |\n")
	b.WriteString("| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n")
	all := row{fault: "all; the longest recovery"}
	for _, x := range r.rows {
		tableLine(&b, x, x.audit.checked(), x.audit.Total)
		all.orders += x.orders
		all.took += x.took
		all.events += x.events
		all.injected += x.injected
		all.lost += x.lost
		all.duplicated += x.duplicated
		all.recovery = max(all.recovery, x.recovery)
		all.resyncs += x.resyncs
		all.mails.sent += x.mails.sent
		all.mails.failed += x.mails.failed
		all.mails.extraCopies += x.mails.extraCopies
		all.mails.ambiguous += x.mails.ambiguous
	}
	tableLine(&b, &all, r.audit.checked(), r.audit.Total)
	fmt.Fprintf(&b, "\nDead letters: %d.\n", r.deadLetters)
	t.Logf("\n%s", b.String())
	if err := os.WriteFile(filepath.Join(root, ".report", r.target+r.part+".md"), []byte(b.String()), 0o600); err != nil {
		t.Error(err)
	}
}

func tableLine(b *strings.Builder, x *row, verified, offenders int64) {
	fmt.Fprintf(b, "| %s | %.0f | %d | %d | %d | %d | %.1f s | %d | %d | %d | %d | %d | %d | %d |\n", x.fault, x.rate(), x.events, x.injected,
		x.lost, x.duplicated, x.recovery.Seconds(), verified, offenders, x.resyncs, x.mails.sent, x.mails.failed, x.mails.extraCopies, x.mails.ambiguous)
}
