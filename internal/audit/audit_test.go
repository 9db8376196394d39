package audit_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/audit"
)

func TestMissing(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	w := audit.Window{Since: noon, Until: noon.Add(time.Hour)}
	before, in, after := noon.Add(-time.Second), noon, noon.Add(time.Hour)
	for name, test := range map[string]struct {
		created, updated time.Time
		version          int64
		known, want      []int64
	}{
		"all of it in the window, all known":            {in, in, 3, []int64{1, 2, 3}, nil},
		"all of it in the window, none known":           {in, in, 3, nil, []int64{1, 2, 3}},
		"one between is missing":                        {in, in, 3, []int64{1, 3}, []int64{2}},
		"changed again after it: only the first is due": {in, after, 3, nil, []int64{1}},
		"older, and the last is missing":                {before, in, 3, nil, []int64{3}},
		"older, and one between is missing":             {before, in, 5, []int64{3, 5}, []int64{4}},
		"older, with a version that it cannot have":     {before, in, 2, []int64{7}, []int64{2}},
		"older, changed after it":                       {before, after, 3, nil, nil},
		"all before it":                                 {before, before, 3, nil, nil},
		"all after it":                                  {after, after, 3, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := audit.Order{Version: test.version, CreatedAt: test.created, UpdatedAt: test.updated, Known: test.known}
			if diff := cmp.Diff(test.want, o.Missing(w)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDays(t *testing.T) {
	t.Parallel()
	jakarta := time.FixedZone("WIB", 7*3600)
	w := audit.Window{Since: time.Date(2026, 11, 24, 1, 0, 0, 0, jakarta), Until: time.Date(2026, 11, 24, 8, 0, 0, 0, jakarta)}
	first, last := w.Days()
	if first.Format(time.DateOnly) != "2026-11-23" || last.Format(time.DateOnly) != "2026-11-24" {
		t.Errorf("from %s to %s", first, last)
	}
}
