package events

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cpuOf returns the CPU time of this run's processes with one of the names, and of their children that have ended. A run has the
// servers of test/services/up and the programs that this one started: other servers of the machine do not count.
func cpuOf(names ...string) (time.Duration, error) {
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err //nolint:wrapcheck // a pattern that cannot be wrong
	}
	roots, err := roots()
	if err != nil {
		return 0, err
	}
	parents, found := map[int]int{}, map[int]time.Duration{}
	for _, file := range all {
		raw, err := os.ReadFile(file) //nolint:gosec // a process of /proc
		if err != nil {
			continue // it has ended
		}
		p, err := parse(string(raw))
		if err != nil {
			return 0, err
		}
		parents[p.pid] = p.parent
		if p.pid != os.Getpid() && slices.ContainsFunc(names, func(n string) bool { return p.name == n[:min(len(n), 15)] }) { // the kernel keeps 15 bytes
			found[p.pid] = p.busy
		}
	}
	var sum time.Duration
	for pid, busy := range found {
		for at := pid; at > 1; at = parents[at] {
			if slices.Contains(roots, at) {
				sum += busy
				break
			}
		}
	}
	return sum, nil
}

// roots are the processes of which all of a run descend.
func roots() ([]int, error) {
	all := []int{os.Getpid()}
	for _, server := range []string{"postgres", "redis", "kafka"} {
		file := filepath.Join(cmp.Or(os.Getenv("SERVICES_DIR"), ".services"), server, "pid")
		text, err := os.ReadFile(file) //nolint:gosec // a file of test/services/up
		if err != nil {
			return nil, fmt.Errorf("find %s, which test/services/up starts: %w", server, err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		all = append(all, pid)
	}
	return all, nil
}

type stat struct {
	pid, parent int
	name        string
	busy        time.Duration
}

// parse reads a process's stat (proc(5)).
func parse(text string) (stat, error) {
	from, to := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	s := stat{name: text[from+1 : to]}
	rest := strings.Fields(text[to+1:]) // begins with the third field
	// utime to cstime are the fields 14 to 17.
	numbers := []string{strings.TrimSpace(text[:from]), rest[4-3], rest[14-3], rest[15-3], rest[16-3], rest[17-3]}
	var n [6]int
	for i, text := range numbers {
		var err error
		if n[i], err = strconv.Atoi(text); err != nil {
			return stat{}, fmt.Errorf("read CPU time: %w", err)
		}
	}
	s.pid, s.parent = n[0], n[1]
	s.busy = time.Duration(n[2]+n[3]+n[4]+n[5]) * time.Second / 100 // USER_HZ is 100 on every Linux that Go runs on
	return s, nil
}

// busy measures the CPU time of processes while do runs.
func busy(groups map[string][]string, do func() error) (map[string]time.Duration, error) {
	before := map[string]time.Duration{}
	for group, names := range groups {
		t, err := cpuOf(names...)
		if err != nil {
			return nil, err
		}
		before[group] = t
	}
	if err := do(); err != nil {
		return nil, err
	}
	for group, names := range groups {
		t, err := cpuOf(names...)
		if err != nil {
			return nil, err
		}
		before[group] = t - before[group]
	}
	return before, nil
}
