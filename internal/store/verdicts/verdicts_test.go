package verdicts_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/audit"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/verdicts"
)

func TestLastIsTheNewestVerdict(t *testing.T) {
	t.Parallel()
	store := verdicts.New(databasetest.New(t))
	if _, ok, err := store.Last(t.Context()); ok || err != nil {
		t.Errorf("an empty table has a verdict: %t, %v", ok, err)
	}
	began := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	first := audit.Verdict{BeganAt: began, EndedAt: began.Add(time.Minute), Since: began.Add(-time.Hour), Until: began, Offenders: 3}
	second := first
	second.Offenders, second.Skipped = 0, []string{"stream", "mailbox"}
	for _, v := range []audit.Verdict{first, second} {
		if err := store.Save(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	got, ok, err := store.Last(t.Context())
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	got.BeganAt, got.EndedAt, got.Since, got.Until = got.BeganAt.UTC(), got.EndedAt.UTC(), got.Since.UTC(), got.Until.UTC()
	if diff := cmp.Diff(second, got); diff != "" {
		t.Error(diff)
	}
	if got.Clean() || first.Clean() || !(audit.Verdict{}).Clean() {
		t.Error("clean is no offender and no skipped check")
	}
}
