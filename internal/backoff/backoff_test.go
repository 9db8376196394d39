package backoff_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"orderbell/internal/backoff"
)

func TestNext(t *testing.T) {
	t.Parallel()
	b := backoff.New(100*time.Millisecond, time.Second)
	check := func(longest time.Duration) {
		t.Helper()
		if d := b.Next(); d < longest/2 || d > longest {
			t.Errorf("waits %s, want %s to %s", d, longest/2, longest)
		}
	}
	for _, ms := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		check(ms * time.Millisecond)
	}
	b.Reset()
	check(100 * time.Millisecond)
	different := map[time.Duration]bool{}
	for range 20 {
		b.Reset()
		different[b.Next()] = true
	}
	if len(different) < 10 {
		t.Errorf("20 waits have %d different lengths, want at least 10", len(different))
	}
}

func TestAfter(t *testing.T) {
	t.Parallel()
	for failures, want := range map[int]time.Duration{
		0: time.Second, 1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 5: 10 * time.Second, 1 << 40: 10 * time.Second,
	} {
		if got := backoff.After(failures, time.Second, 10*time.Second); got != want {
			t.Errorf("after %d failures it waits %s, want %s", failures, got, want)
		}
	}
	if got := backoff.After(1, time.Minute, time.Second); got != time.Second {
		t.Errorf("it waits %s, want no more than the longest wait", got)
	}
	if got := backoff.After(100, 0, time.Second); got != 0 {
		t.Errorf("a first wait of 0 becomes %s, want 0", got)
	}
}

func TestSleep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if !backoff.Sleep(t.Context(), time.Second) || time.Since(began) != time.Second {
			t.Errorf("slept for %s, want 1s", time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if began = time.Now(); backoff.New(time.Hour, time.Hour).Wait(ctx) || time.Since(began) != time.Second {
			t.Errorf("slept for %s, want an end with the context after 1s", time.Since(began))
		}
	})
}
