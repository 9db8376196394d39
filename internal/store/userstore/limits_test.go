package userstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"orderbell/internal/user"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	s := setup(t)
	if got, err := s.Limits(t.Context(), "demo"); err != nil || len(got) != 0 {
		t.Fatalf("a new tenant has the limits %v, %v", got, err)
	}
	changes := map[user.Limit]*int64{}
	want := user.Limits{}
	for i, l := range user.LimitNames() {
		want[l] = l.Least() + int64(i)
		changes[l] = ptr(want[l])
	}
	if chosen, err := s.SetLimits(t.Context(), "demo", "operator:ana", changes); err != nil || !cmp.Equal(want, chosen) {
		t.Fatalf("SetLimits = %v, %v, want %v", chosen, err, want)
	}
	delete(want, user.MaxUsers)
	if chosen, err := s.SetLimits(t.Context(), "demo", "operator:ana", map[user.Limit]*int64{user.MaxUsers: nil}); err != nil || !cmp.Equal(want, chosen) {
		t.Fatalf("SetLimits = %v, %v, want %v", chosen, err, want)
	}
	if got, err := s.Limits(t.Context(), "demo"); err != nil || !cmp.Equal(want, got) {
		t.Errorf("Limits = %v, %v, want %v", got, err, want)
	}
	if got, err := s.AllLimits(t.Context()); err != nil || !cmp.Equal(map[string]user.Limits{"demo": want}, got) {
		t.Errorf("AllLimits = %v, %v, want those of demo alone", got, err)
	}
	if _, err := s.SetLimits(t.Context(), "nowhere", "operator:ana", changes); !errors.Is(err, user.ErrNoTenant) {
		t.Errorf("SetLimits of no tenant = %v, want %v", err, user.ErrNoTenant)
	}
	if want[user.MaxStreams] != want.Of(user.MaxStreams, 1) || want.Of(user.MaxUsers, 11) != 11 {
		t.Error("Of does not return the tenant's limit, or else the default")
	}

	records, err := s.Records(t.Context(), "demo", time.Time{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	wanted := []user.Record{
		{TenantID: "demo", Actor: "operator:ana", Action: "tenant.limits", Target: "tenant:demo", Outcome: user.Done, Detail: "max_users is the default", Times: 1},
		{
			TenantID: "demo", Actor: "operator:ana", Action: "tenant.limits", Target: "tenant:demo", Outcome: user.Done, Times: 1,
			Detail: "max_users is 1, max_invitations is 1, orders_per_second is 3, mails_per_hour is 3, max_streams is 4, log_bytes is 65541, max_devices is 6",
		},
	}
	if diff := cmp.Diff(wanted, records, cmpopts.IgnoreFields(user.Record{}, "At")); diff != "" {
		t.Error(diff)
	}
	if others, err := s.Records(t.Context(), "other", time.Time{}, 10); err != nil || len(others) != 0 {
		t.Errorf("the other tenant has the records %v, %v", others, err)
	}
}
