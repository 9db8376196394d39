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

// report is what the run has found so far.
type report struct {
	target       string // of make
	seed, rounds uint64
	begun        time.Time
	rows         []*row
	deadLetters  int
	audit        audit // of all at the end
}

// row is one fault's line of the table.
type row struct {
	fault    string
	shops    []shop
	orders   int
	events   int
	injected int
	lost     int
	twice    int
	recovery time.Duration
	took     time.Duration // of the load
	resyncs  int
	again    int // frames that a watcher had before
	letters  letters
	audit    audit
}

func (r *row) add(f finding) {
	if f.twice {
		r.twice += len(f.which)
	} else {
		r.lost += len(f.which)
	}
}

func (r *row) String() string {
	return fmt.Sprintf("%d orders in %.1f s (%.0f a second), %d events, %d faults, %d lost, %d twice, recovered after %.1f s; watchers: %d resyncs, %d frames again",
		r.orders, r.took.Seconds(), r.rate(), r.events, r.injected, r.lost, r.twice, r.recovery.Seconds(), r.resyncs, r.again)
}

// rate is the orders of a second of the load, the time of the fault included.
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
		r.target, time.Now().UTC().Format(time.RFC3339), time.Since(r.begun).Seconds(), rate, r.seed, r.rounds, r.seed, r.rounds)
	b.WriteString("| fault | orders/s | events sent | faults injected | lost | duplicated | recovery | verified | offenders | resyncs | e-mails sent | failed | sent again | ambiguous |\n")
	b.WriteString("| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n")
	all := row{fault: "all; the longest recovery"}
	for _, x := range r.rows {
		tableLine(&b, x, x.audit.looked(), x.audit.Total)
		all.orders += x.orders
		all.took += x.took
		all.events += x.events
		all.injected += x.injected
		all.lost += x.lost
		all.twice += x.twice
		all.recovery = max(all.recovery, x.recovery)
		all.resyncs += x.resyncs
		all.letters.sent += x.letters.sent
		all.letters.failed += x.letters.failed
		all.letters.twice += x.letters.twice
		all.letters.ambiguous += x.letters.ambiguous
	}
	tableLine(&b, &all, r.audit.looked(), r.audit.Total)
	fmt.Fprintf(&b, "\nDead letters: %d.\n", r.deadLetters)
	t.Logf("\n%s", b.String())
	if err := os.WriteFile(filepath.Join(root, ".report", r.target+".md"), []byte(b.String()), 0o600); err != nil {
		t.Error(err)
	}
}

func tableLine(b *strings.Builder, x *row, verified, offenders int64) {
	fmt.Fprintf(b, "| %s | %.0f | %d | %d | %d | %d | %.1f s | %d | %d | %d | %d | %d | %d | %d |\n", x.fault, x.rate(), x.events, x.injected,
		x.lost, x.twice, x.recovery.Seconds(), verified, offenders, x.resyncs, x.letters.sent, x.letters.failed, x.letters.twice, x.letters.ambiguous)
}
