package trial_test

import (
	"strings"
	"testing"

	"orderbell/test/bench/internal/trial"
)

func TestASoakIsJudged(t *testing.T) {
	t.Parallel()
	flat := []int{10, 90, 100, 95, 100, 103}
	for name, c := range map[string]struct {
		found trial.Soaked
		want  string // in the error, "" for none
	}{
		"all is well":     {trial.Soaked{Messages: 5, Deliveries: 50, Visits: 9, Memory: flat}, ""},
		"too short":       {trial.Soaked{Memory: []int{1, 100}}, ""},
		"memory grows":    {trial.Soaked{Memory: []int{10, 90, 100, 95, 100, 106}}, "memory grew by 6.0 %"},
		"a loss":          {trial.Soaked{Memory: flat, Missing: 2}, "2 deliveries are missing"},
		"a repetition":    {trial.Soaked{Memory: flat, Repeated: 1}, "1 were duplicated"},
		"a stream closed": {trial.Soaked{Memory: flat, Closed: 1}, "1 streams were closed"},
		"a guest's loss":  {trial.Soaked{Memory: flat, Skipped: 3}, "3 messages reached a guest out of order or not at all"},
		"a resync":        {trial.Soaked{Memory: flat, Resyncs: 1}, "1 guests got a resync"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.found.Judge(0.05)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("judged %v, want %q", err, c.want)
			}
		})
	}
}
