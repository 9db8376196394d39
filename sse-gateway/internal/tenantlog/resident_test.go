// The race detector's own memory is many times that of the logs.

//go:build !race

package tenantlog_test

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"orderbell/internal/event"
	"orderbell/sse-gateway/internal/tenantlog"
	"orderbell/sse-gateway/internal/tenantlog/tenantlogtest"
)

// resident returns the resident memory of this process after a collection.
func resident(t *testing.T) int64 {
	t.Helper()
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// TestWhatLogsHoldIsWhatIsCounted compares the count with the growth of the process's memory, for the shapes of load that
// were counted wrongly by half and more: large audiences, small events and tenants without events.
func TestWhatLogsHoldIsWhatIsCounted(t *testing.T) { //nolint:paralleltest // other tests would be measured too
	for _, c := range []struct {
		name            string
		tenants, events int
		to              []event.Recipient
	}{
		{"orders with five recipients", 400, 300, recipients(5)},
		{"orders with 3,000 recipients", 40, 14, recipients(3000)},
		{"orders without recipients", 200, 1000, nil},
		{"few orders", 20_000, 2, recipients(2)},
	} {
		t.Run(c.name, func(t *testing.T) { //nolint:paralleltest // as above
			logs := local(t, 4<<20, 4<<30)
			before := resident(t)
			all := make([]*tenantlog.Log, c.tenants)
			for n := range all {
				all[n] = tenantlogtest.Acquire(t, logs, fmt.Sprintf("t-%d", n))
			}
			for i := 1; i <= c.events; i++ { // all tenants sell at the same time
				for _, log := range all {
					log.Apply(tenantlogtest.Published(i, c.to...))
				}
			}
			grown, counted := resident(t)-before, logs.Budget.Logs.Load()
			ratio := float64(counted) / float64(grown)
			t.Logf("counted %.1f MiB, resident memory grew by %.1f MiB: %.3f", float64(counted)/(1<<20), float64(grown)/(1<<20), ratio)
			if ratio < 0.9 || ratio > 1.1 {
				t.Errorf("the logs count %d bytes, memory grew by %d: more than a tenth off", counted, grown)
			}
		})
	}
}
