package gather_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/gather"
)

// server runs batches, each in a second, and records them.
type server struct {
	mu      sync.Mutex
	batches [][]int
	most    int // under way at once
	now     int
}

func (s *server) do(_ context.Context, items []int) []int {
	s.mu.Lock()
	s.batches = append(s.batches, slices.Clone(items))
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	time.Sleep(time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now--
	doubled := make([]int, len(items))
	for i, n := range items {
		doubled[i] = 2 * n
	}
	return doubled
}

func TestDo(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		limit gather.Limit
		calls int
		want  [][]int
	}{
		"a single call runs at once":           {gather.Limit{Batches: 1, Size: 8}, 1, [][]int{{1}}},
		"waiting calls share a batch":          {gather.Limit{Batches: 1, Size: 8}, 5, [][]int{{1}, {2, 3, 4, 5}}},
		"a batch has a size":                   {gather.Limit{Batches: 1, Size: 3}, 6, [][]int{{1}, {2, 3, 4}, {5, 6}}},
		"as many batches as there is room for": {gather.Limit{Batches: 2, Size: 2}, 5, [][]int{{1}, {2}, {3, 4}, {5}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var s server
				g := gather.New(tt.limit, s.do)
				for n := range tt.calls {
					go func() {
						time.Sleep(time.Duration(n) * time.Millisecond) // in order
						if got, err := g.Do(t.Context(), n+1); err != nil || got != 2*(n+1) {
							t.Errorf("Do(%d) is %d, %v", n+1, got, err)
						}
					}()
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				s.mu.Lock()
				defer s.mu.Unlock()
				if diff := cmp.Diff(tt.want, s.batches); diff != "" {
					t.Errorf("batches (-want +got):\n%s", diff)
				}
				if s.most > tt.limit.Batches {
					t.Errorf("%d batches at once, want at most %d", s.most, tt.limit.Batches)
				}
			})
		})
	}
}

// TestACallerThatGoesAway leaves while it waits, and when it is its turn. The other calls are done nevertheless.
func TestACallerThatGoesAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s server
		g := gather.New(gather.Limit{Batches: 1, Size: 1}, s.do)
		done := make(chan int, 3)
		call := func(ctx context.Context, n int) {
			if got, err := g.Do(ctx, n); err == nil {
				done <- got
			} else if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Do(%d): %v", n, err)
			}
		}
		go call(t.Context(), 1)
		synctest.Wait()
		waits, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		go call(waits, 2)
		synctest.Wait()
		turn, cancel := context.WithTimeout(t.Context(), time.Second) // at the same moment as the batch before it ends
		defer cancel()
		go call(turn, 3)
		synctest.Wait()
		go call(t.Context(), 4)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := len(done); got < 2 {
			t.Errorf("%d calls were done, want those that stayed", got)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if slices.ContainsFunc(s.batches, func(b []int) bool { return b[0] == 2 }) {
			t.Errorf("batches %v, want none of the call that was taken back", s.batches)
		}
	})
}

func TestAPanicEndsItsBatchAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := gather.New(gather.Limit{Batches: 1, Size: 8}, func(_ context.Context, items []int) []int {
			time.Sleep(time.Second)
			if slices.Contains(items, 2) {
				panic("two")
			}
			return items
		})
		go func() { _, _ = g.Do(t.Context(), 1) }()
		synctest.Wait()
		go func() {
			defer func() {
				if recover() == nil {
					t.Error("the goroutine of the batch does not panic")
				}
			}()
			_, _ = g.Do(t.Context(), 2)
		}()
		synctest.Wait()
		if _, err := g.Do(t.Context(), 3); !errors.Is(err, gather.ErrPanicked) {
			t.Errorf("error %v, want ErrPanicked", err)
		}
		if got, err := g.Do(t.Context(), 4); err != nil || got != 4 {
			t.Errorf("the next call is %d, %v", got, err)
		}
	})
}
