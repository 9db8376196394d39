package feedtest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"orderbell/internal/dev/waittest"
	"orderbell/internal/feed"
	"orderbell/internal/feed/message"
)

func ring(t *testing.T, url string) {
	cfg, tenant := Config(url), Tenant()
	cfg.ReplayMax = 100
	f := Open(t, cfg)
	want := batch(tenant, 350)
	publish(t, f, tenant, want...)
	got, _, err := f.Read(t.Context(), tenant, message.Position{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) < 100 || len(got) > 200 { // Redis trims whole nodes of 100 entries
		t.Errorf("the ring of 100 holds %d entries", len(got))
	}
	checkChain(t, got[0].Prev, want[350-len(got):], got)
}

// heavy publishes entries that are large enough for the ring's bytes to bound it before their number does.
func heavy(t *testing.T, url string) {
	const size, limit = 4 << 10, 256 << 10
	cfg, tenant := Config(url), Tenant()
	cfg.ReplayBytes = limit
	f := Open(t, cfg)
	want := batch(tenant, limit/size+50)
	for i := range want {
		want[i] = Refer(want[i], strings.Repeat("x", size))
	}
	publish(t, f, tenant, want...)
	got, _, err := f.Read(t.Context(), tenant, message.Position{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	bytes := 0
	for _, p := range got {
		bytes += len(p.Message.Data)
	}
	if bytes > limit || bytes < limit*9/10 {
		t.Errorf("the ring of %d bytes holds %d entries with %d bytes", limit, len(got), bytes)
	}
	checkChain(t, got[0].Prev, want[len(want)-len(got):], got)
	small := Message(tenant, 1)
	publish(t, f, tenant, small)
	if got, _, err = f.Recent(t.Context(), tenant, 1); err != nil || len(got) != 1 || got[0].Message.ID != small.ID {
		t.Errorf("the newest entry is %+v, %v, want the small one", got, err)
	}
}

func tails(t *testing.T, url string) {
	f := Open(t, Config(url))
	tenants := make([]string, 40)
	want := make([]message.Tail, len(tenants))
	for i := range tenants {
		tenants[i] = Tenant()
		if i%2 == 0 {
			m := Message(tenants[i], i)
			publish(t, f, tenants[i], m)
			at, _, err := f.Lookup(t.Context(), tenants[i], m.ID)
			if err != nil {
				t.Fatal(err)
			}
			want[i] = message.Tail{At: at, EventID: m.ID}
		}
	}
	got, err := f.Tails(t.Context(), tenants)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func lookup(t *testing.T, url string) {
	f, tenant := Open(t, Config(url)), Tenant()
	m := Message(tenant, 1)
	publish(t, f, tenant, m)
	read, _, err := f.Read(t.Context(), tenant, message.Position{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	at, ok, err := f.Lookup(t.Context(), tenant, m.ID)
	if err != nil || !ok || at != read[0].At {
		t.Errorf("got %s, %t, %v; want %s", at, ok, err, read[0].At)
	}
}

func unknown(t *testing.T, url string) {
	f := Open(t, Config(url))
	if at, ok, err := f.Lookup(t.Context(), Tenant(), uuid.NewString()); ok || err != nil {
		t.Errorf("got %s, %t, %v; want nothing", at, ok, err)
	}
}

func empty(t *testing.T, url string) {
	f := Open(t, Config(url))
	got, tail, err := f.Recent(t.Context(), Tenant(), 10)
	if len(got) != 0 || tail != (message.Tail{}) || err != nil {
		t.Errorf("got %v, %v, %v; want nothing", got, tail, err)
	}
}

func tickets(t *testing.T, url string) {
	f := Open(t, Config(url))
	ticket, err := f.IssueTicket(t.Context(), []byte(`{"sub":"u"}`))
	if err != nil {
		t.Fatal(err)
	}
	var wins, losses atomic.Int32
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() {
			switch claims, err := f.RedeemTicket(t.Context(), ticket); {
			case err == nil && string(claims) == `{"sub":"u"}`:
				wins.Add(1)
			case errors.Is(err, feed.ErrNoTicket):
				losses.Add(1)
			default:
				t.Errorf("redeem: %q, %v", claims, err)
			}
		})
	}
	wait.Wait()
	if wins.Load() != 1 || losses.Load() != 9 {
		t.Errorf("%d redeemed and %d refused, want 1 and 9", wins.Load(), losses.Load())
	}
	for _, bad := range []string{"", "short", strings.Repeat("a", 32), strings.Repeat("a", 10_000)} {
		if _, err := f.RedeemTicket(t.Context(), bad); !errors.Is(err, feed.ErrNoTicket) {
			t.Errorf("redeem of a foreign ticket of %d bytes: %v, want ErrNoTicket", len(bad), err)
		}
	}
}

func probe(t *testing.T, url string) {
	f := Open(t, Config(url))
	Run(t, f)
	ctx, cancel := context.WithTimeout(t.Context(), waittest.Patience)
	defer cancel()
	if err := f.Probe(ctx); err != nil {
		t.Error(err)
	}
}

func probeTimeout(t *testing.T, url string) {
	f := Open(t, Config(url)) // it does not run, so nothing can come back
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := f.Probe(ctx); err == nil {
		t.Error("a probe that cannot come back succeeded")
	}
}

func badTenant(t *testing.T, url string) {
	f := Open(t, Config(url))
	for _, tenant := range []string{"", "a}b", "a b", "{x}", "~x"} {
		if err := f.Publish(t.Context(), tenant, Message("x", 1)); err == nil {
			t.Errorf("tenant %q was accepted", tenant)
		}
	}
}

func followTwice(t *testing.T, url string) {
	f, tenant := Open(t, Config(url)), Tenant()
	s := Run(t, f)
	f.Follow(tenant)
	f.Follow(tenant)
	s.Next(t)
	a, b := Message(tenant, 1), Message(tenant, 2)
	publish(t, f, tenant, a, b)
	if got := []string{s.Next(t).Published.Message.ID, s.Next(t).Published.Message.ID}; got[0] != a.ID || got[1] != b.ID {
		t.Errorf("heard %v, want %s and %s once each", got, a.ID, b.ID)
	}
}

func runTwice(t *testing.T, url string) {
	f, tenant := Open(t, Config(url)), Tenant()
	s := Run(t, f)
	f.Follow(tenant)
	s.Next(t) // the first Run is under way
	if err := f.Run(t.Context(), s); err == nil {
		t.Error("the second Run did not fail")
	}
}
