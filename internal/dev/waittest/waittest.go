// Package waittest lets a test wait for an effect of another goroutine or program.
package waittest

import (
	"testing"
	"time"
)

// Patience is how long a test waits for an expected effect: machines that run many packages' tests at once are slow.
const Patience = 2 * time.Minute

// Until returns once holds is true. It fails the test if that takes longer than [Patience].
func Until(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	over := time.NewTimer(Patience)
	defer over.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-over.C:
			tb.Fatalf("not within %s: %s", Patience, what)
		case <-tb.Context().Done():
			tb.Fatalf("the test ended before this: %s", what)
		}
	}
}
