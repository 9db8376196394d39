//go:build alerts

package alerts_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sighting is an alert that fired and resolved.
type sighting struct {
	alert, fault    string
	fired, resolved time.Duration
	also            []string // alerts that fired at the same time
}

// report prints the table and writes it to .report/alerts.md.
func (w *world) report(t *testing.T) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "one hour in the rules is shortened to %s, and every duration to at least %s; the run took %s\n\n", w.pace.hour, w.pace.least, time.Since(w.started).Round(time.Second))
	b.WriteString("| alert | fault | fired after | resolved after | also firing |\n|---|---|---|---|---|\n")
	for _, s := range w.seen {
		fmt.Fprintf(&b, "| %s | %s | %.0f s | %.0f s | %s |\n", s.alert, s.fault, s.fired.Seconds(), s.resolved.Seconds(),
			strings.ReplaceAll(strings.Join(s.also, ", "), "Orderbell", ""))
	}
	t.Log("\n" + b.String())
	if err := os.WriteFile(filepath.Join(root, ".report", "alerts.md"), []byte(b.String()), 0o600); err != nil {
		t.Error(err)
	}
}
