package feedtest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"orderbell/internal/audit"
	"orderbell/internal/feed/message"
)

func presence(t *testing.T, url string) {
	cfg := Config(url)
	cfg.ReplayMax = 100
	f := Open(t, cfg)
	if got, err := f.Presence(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("of no events: %v, %v", got, err)
	}
	var keys []audit.Key
	var want []audit.Presence
	for i := range 20 { // of as many servers as there are
		tenant := Tenant()
		m := Message(tenant, i)
		keys = append(keys, audit.Key{TenantID: tenant, EventID: m.ID}, audit.Key{TenantID: tenant, EventID: uuid.NewString()})
		publish(t, f, tenant, m)
		at, _, err := f.Lookup(t.Context(), tenant, m.ID)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, audit.Presence{Marked: true, At: at, InStream: true}, audit.Presence{})
		if oldest, ok, err := f.Oldest(t.Context(), tenant); err != nil || !ok || oldest != at {
			t.Errorf("oldest: %s, %t, %v; want %s", oldest, ok, err, at)
		}
	}
	got, err := f.Presence(t.Context(), keys)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, ok, err := f.Oldest(t.Context(), Tenant()); ok || err != nil {
		t.Errorf("oldest of nothing: %t, %v", ok, err)
	}

	// The ring drops an entry before its mark expires.
	tenant := Tenant()
	messages := batch(tenant, 350)
	publish(t, f, tenant, messages...)
	got, err = f.Presence(t.Context(), []audit.Key{{TenantID: tenant, EventID: messages[0].ID}, {TenantID: tenant, EventID: messages[349].ID}})
	if err != nil {
		t.Fatal(err)
	}
	oldest, _, err := f.Oldest(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	if !got[0].Marked || got[0].InStream || got[0].At == (message.Position{}) || got[0].At.Compare(oldest) >= 0 {
		t.Errorf("the first of 350 is %+v in a ring of 100 that begins at %s", got[0], oldest)
	}
	if !got[1].Marked || !got[1].InStream {
		t.Errorf("the last is %+v", got[1])
	}
}
