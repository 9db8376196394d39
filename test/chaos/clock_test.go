//go:build chaos

package chaos_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// jumpClock promotes a standby whose clock libfaketime changes, and makes the clock jump: an hour ahead, a day ahead, and back.
// The clocks of the programs, Redis and Kafka are right.
func jumpClock(e *episode) {
	all, err := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	if err != nil || len(all) == 0 {
		e.t.Fatalf("no libfaketime: apt-get install libfaketime: %v", err)
	}
	offset := filepath.Join(os.TempDir(), "orderbell-clock-"+strconv.Itoa(os.Getpid()))
	e.w.t.Cleanup(func() { _ = os.Remove(offset) })
	set := func(text string) { writeFile(e.t, offset, text) }
	set("+0")
	old := e.w.primary
	s := e.w.startStandby(e.t, true, "LD_PRELOAD="+all[0], "FAKETIME_TIMESTAMP_FILE="+offset, "FAKETIME_CACHE_DURATION=1",
		"FAKETIME_DONT_FAKE_MONOTONIC=1")
	left := strconv.Itoa(s.cmd.Process.Pid) // libfaketime leaves shared memory when its process is killed
	e.w.t.Cleanup(func() { _, _ = os.Remove("/dev/shm/faketime_shm_"+left), os.Remove("/dev/shm/sem.faketime_sem_"+left) })
	e.wait(time.Second)
	e.w.endPrimary(e.t, old)
	e.w.promote(e.t, s)
	for _, jump := range []struct {
		offset string
		ahead  time.Duration
	}{{"+1h", time.Hour}, {"+1d", 24 * time.Hour}, {"+0", 0}} {
		set(jump.offset)
		e.hits++
		e.wait(4 * time.Second)
		var now time.Time
		if err := e.w.db.QueryRow(e.t.Context(), `SELECT clock_timestamp()`).Scan(&now); err != nil {
			e.t.Fatal(err)
		}
		if ahead := time.Until(now); (ahead - jump.ahead).Abs() > time.Minute {
			e.t.Fatalf("PostgreSQL's clock is %s ahead, want %s", ahead, jump.ahead)
		}
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil { //nolint:gosec // servers of other users read it
		t.Fatal(err)
	}
}
