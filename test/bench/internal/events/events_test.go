package events_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/test/bench/internal/events"
)

func TestTheCPUTimeOfAProcessIsReadWhateverItsName(t *testing.T) {
	t.Parallel()
	pid, parent, name, busy, err := events.ReadStat("77 (a) (b c) S 12 77 77 0 -1 4194560 100 0 0 0 150 50 25 75 20 0 1 0 9000 1 1 1\n")
	if err != nil {
		t.Fatal(err)
	}
	if pid != 77 || parent != 12 || name != "a) (b c" || busy != 3*time.Second {
		t.Errorf("got process %d of %d, %q with %s", pid, parent, name, busy)
	}
}

func TestEachTenantHasItsTurn(t *testing.T) {
	t.Parallel()
	for _, many := range []int{1, 10, 100, 10_000, 100_000} {
		tenant, had := events.Scattered(many), map[int]bool{}
		for n := range many {
			had[tenant(n)] = true
		}
		if len(had) != many || had[0] {
			t.Errorf("%d of %d tenants have an event", len(had), many)
		}
	}
}

func TestADocumentHasMediansAndTheirRatios(t *testing.T) {
	t.Parallel()
	var f events.Figures
	for _, round := range []float64{300, 100, 200} {
		f.Add(events.Relayed, events.Relay, round)
		f.Add("alone", "", round)
		f.Add(events.Relayed, events.Producer, 2*round)
	}
	document, panels := f.Document()
	for _, want := range []string{
		"| " + events.Relayed + " | " + events.Relay + " | 200 /s (100 /s–300 /s) |\n| " + events.Relayed + " | " + events.Producer + " | 400 /s",
		"| " + events.Relayed + ": " + events.Relay + " | " + events.Producer + " | 0.50 |", "](bench-events.svg)",
	} {
		if !strings.Contains(document, want) {
			t.Errorf("the document has no %q:\n%s", want, document)
		}
	}
	if diff := cmp.Diff([]string{events.Relayed}, panels); diff != "" {
		t.Errorf("panels (-want +got):\n%s", diff)
	}
}

func TestWhatWasWrittenByHandIsKept(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "docs", "bench.md")
	if err := events.Write(file, "first\n"); err != nil {
		t.Fatal(err)
	}
	const hand = "<!-- Written by hand from here on. -->\nImages are small.\n"
	if err := os.WriteFile(file, []byte("first\n\n"+hand), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := events.Write(file, "second\n"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("second\n\n"+hand, string(got)); diff != "" {
		t.Errorf("the document (-want +got):\n%s", diff)
	}
}

func TestTheRateOfRedisBenchmarkIsRead(t *testing.T) {
	t.Parallel()
	const csv = `"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
"EVALSHA 0b5f 4 orders:{bench}:stream id {"order_id":"A-1"}","12632.10","1.463","0.248","1.335","2.879","4.359","13.007"
`
	if rate, err := events.RequestsPerSecond([]byte(csv)); err != nil || rate != 12632.1 {
		t.Errorf("the rate is %v, %v, want 12632.1", rate, err)
	}
}
