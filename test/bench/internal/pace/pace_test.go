package pace_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/test/bench/internal/pace"
)

func TestASteadyPaceStampsWhatWasDueNotWhatWasDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []time.Duration
		begin := time.Now()
		plan := pace.Plan{Messages: 4, Every: time.Second}
		began, err := plan.Run(t.Context(), func(_ context.Context, n int, at time.Time) error {
			got = append(got, at.Sub(begin))
			if n == 1 {
				time.Sleep(5 * time.Second) // the publisher is blocked
			}
			return nil
		})
		if err != nil || !began.Equal(begin) {
			t.Errorf("began %v, %v", began, err)
		}
		if diff := cmp.Diff([]time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestABurstComesFromAllWritersAndIsDueAtOnce(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []int
	stamps := map[time.Time]bool{}
	began, err := pace.Plan{Messages: 100, Writers: 8}.Run(t.Context(), func(_ context.Context, n int, at time.Time) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, n)
		stamps[at] = true
		return nil
	})
	if !stamps[began] || len(stamps) != 1 {
		t.Errorf("the messages carry %v, want only %v", stamps, began)
	}
	slices.Sort(got)
	want := make([]int, 100)
	for i := range want {
		want[i] = i
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}
