package userstore_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

// TestRefusalsAreBounded counts more different refusals than a tenant has rows for, as the APIs' role.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	as := func(role string) *userstore.Store {
		return userstore.New(databasetest.Open(t, databasetest.As(t, address, role)))
	}
	api, operator := as("orderbell_user_api"), as("orderbell_operator")
	refusal := func(actor string) user.Record {
		return user.Record{TenantID: "demo", Actor: actor, Action: "sign_in", Address: "192.0.2.1", Detail: "the token was revoked", Times: 2}
	}
	add := func(tenant string, all ...user.Record) {
		t.Helper()
		if err := api.AddRefusals(t.Context(), tenant, all); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		add("demo", refusal("user:u1"), refusal("user:u2"))
	}
	add(user.NoTenant, user.Record{Action: "sign_in", Detail: strings.Repeat("é", 300), Times: 1})
	found, err := operator.Records(t.Context(), "demo", time.Time{}, 10)
	if err != nil || len(found) != 2 {
		t.Fatalf("%+v, %v, want 2 records", found, err)
	}
	for _, r := range found {
		at := r.At
		r.At = time.Time{}
		want := refusal(r.Actor)
		want.Outcome, want.Times = user.Refused, 6
		if diff := cmp.Diff(want, r); diff != "" || time.Since(at) > time.Minute {
			t.Errorf("%s: %s", at, diff)
		}
	}
	for batch := range 30 {
		var all []user.Record
		for i := range 50 {
			all = append(all, refusal(fmt.Sprintf("user:%d-%d", batch, i)))
		}
		add("demo", all...)
	}
	add("demo", refusal("user:u1")) // what has a row is counted there all the same
	found, err = operator.Records(t.Context(), "demo", time.Time{}, 2000)
	if err != nil {
		t.Fatal(err)
	}
	var times int64
	byActor := map[string]int64{}
	for _, r := range found {
		times += r.Times
		byActor[r.Actor] += r.Times
	}
	if len(found) != 1001 || times != 2*(6+1500+1) || byActor["user:u1"] != 8 || byActor[""] != 2*502 {
		t.Errorf("%d records of %d refusals, %d of u1 and %d of others", len(found), times, byActor["user:u1"], byActor[""])
	}
	if none, err := operator.Records(t.Context(), user.NoTenant, time.Time{}, 10); err != nil || len(none) != 1 {
		t.Errorf("%+v, %v", none, err)
	}
}

// TestRecordsAreCut writes records whose fields are longer than their columns: the recorded action must succeed nevertheless.
func TestRecordsAreCut(t *testing.T) {
	t.Parallel()
	store := userstore.New(databasetest.New(t))
	long := strings.Repeat("é", 2000)
	err := store.Record(t.Context(), user.Record{
		TenantID: "demo", Actor: "operator:" + long, Action: "tokens.revoked", Target: "token:" + long, Address: long, Outcome: user.Done, Detail: long,
	})
	if err != nil {
		t.Fatal(err)
	}
	found, err := store.Records(t.Context(), "demo", time.Time{}, 10)
	if err != nil || len(found) != 1 {
		t.Fatalf("%d records, %v, want 1", len(found), err)
	}
	got := found[0]
	got.At = time.Time{}
	want := user.Record{
		TenantID: "demo", Actor: "operator:" + long[:2*291], Action: "tokens.revoked", Target: "token:" + long[:2*294], Address: long[:2*64],
		Outcome: user.Done, Detail: long[:2*1000], Times: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
