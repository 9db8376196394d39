package tenantlog_test

import (
	"testing"

	"orderbell/sse-gateway/internal/tenantlog"
)

func TestTheLargestLogsAreCutToOneSize(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sizes        []int
		excess, want int
	}{
		"the largest alone, wherever it stands":       {[]int{10, 30, 100, 20}, 60, 40},
		"down to the second":                          {[]int{10, 30, 100, 20}, 70, 30},
		"the two largest":                             {[]int{10, 30, 100, 20}, 80, 25},
		"an odd byte is freed too":                    {[]int{30, 10, 30}, 3, 28},
		"all of them alike":                           {[]int{10, 10, 10}, 15, 5},
		"more than there is":                          {[]int{10, 30}, 100, 0},
		"nothing, so that the largest keeps its size": {[]int{10, 30}, 0, 30},
		"no log": {nil, 10, 0},
	} {
		if got := tenantlog.Level(test.sizes, test.excess); got != test.want {
			t.Errorf("%s: %d of %v are freed by a size of %d, want %d", name, test.excess, test.sizes, got, test.want)
		}
	}
}
