// Package backoff decides how long to wait before a retry: twice as long after each failure, with jitter, so that programs
// that failed at the same moment do not retry at the same moment.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is the series of waits of one loop. Make it with [New]. It is not safe for concurrent use.
type Backoff struct {
	first, longest time.Duration
	failures       int
}

// New returns a back-off whose first wait is at most first. Each later wait doubles, up to longest.
func New(first, longest time.Duration) *Backoff { return &Backoff{first: first, longest: longest} }

// Next returns the next wait, with jitter.
func (b *Backoff) Next() time.Duration {
	b.failures++
	return Jitter(After(b.failures, b.first, b.longest))
}

// Reset starts the series again. Call it after a success.
func (b *Backoff) Reset() { b.failures = 0 }

// Wait sleeps for the next wait and reports whether it passed before ctx ended.
func (b *Backoff) Wait(ctx context.Context) bool { return Sleep(ctx, b.Next()) }

// After returns the wait after so many failures without jitter: first after one failure, then doubled each time, at most
// longest.
func After(failures int, first, longest time.Duration) time.Duration {
	d := first
	for ; failures > 1 && d < longest; failures-- {
		d *= 2
	}
	return min(d, longest)
}

// Jitter returns a random duration from d/2 to d.
func Jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// Sleep waits for d and reports whether d passed before ctx ended.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
