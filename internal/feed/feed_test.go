package feed_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"orderbell/internal/dev/waittest"
	"orderbell/internal/feed"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/feed/message"
)

func TestMain(m *testing.M) {
	// go-redis looks for a dead server once a second and notices only then that its pool is closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

func TestConformanceOfTheStandIn(t *testing.T) {
	t.Parallel()
	feedtest.Suite(t, "redis://"+miniredis.RunT(t).Addr())
}

func TestOpen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*feed.Config)
		want   string // a part of the error, "" for none
	}{
		"one server":               {func(c *feed.Config) { c.URL = "redis://user:secret@localhost:6379/2" }, ""},
		"TLS":                      {func(c *feed.Config) { c.URL = "rediss://localhost:6379" }, ""},
		"sentinels":                {func(c *feed.Config) { c.URL = "redis://a:26379?master_name=orders&addr=b:26379" }, ""},
		"a cluster":                {func(c *feed.Config) { c.URL = "redis://a:6379?addr=b:6379&addr=c:6379" }, ""},
		"a cluster at one address": {func(c *feed.Config) { c.URL = "redis://a:6379?cluster=true" }, ""},
		"no URL":                   {func(c *feed.Config) { c.URL = "localhost:6379" }, "REDIS_URL"},
		"a URL of something else":  {func(c *feed.Config) { c.URL = "http://localhost" }, "REDIS_URL"},
		"an unknown parameter":     {func(c *feed.Config) { c.URL = "redis://localhost?colour=red" }, "REDIS_URL"},
		"a malformed port":         {func(c *feed.Config) { c.URL = "redis://u:secret@localhost:port" }, "REDIS_URL"},
		"no replay time":           {func(c *feed.Config) { c.ReplayTTL = 0 }, "SSE_REPLAY_BUFFER_TTL_SECONDS"},
		"no replay length":         {func(c *feed.Config) { c.ReplayMax = 0 }, "SSE_REPLAY_BUFFER_MAX_EVENTS"},
		"an unknown pub/sub":       {func(c *feed.Config) { c.Sharded = "perhaps" }, "REDIS_SHARDED_PUBSUB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := feedtest.Config("redis://localhost:6379")
			c.change(&cfg)
			f, err := feed.Open(cfg)
			if err == nil {
				defer f.Close() //nolint:errcheck // nothing was sent
			}
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error is %v, want one that names %s", err, c.want)
			case err != nil && strings.Contains(err.Error(), "secret"):
				t.Errorf("the error contains the password: %v", err)
			}
		})
	}
}

func TestErrorsAreTemporary(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	cfg := feedtest.Config("redis://" + server.Addr() + "?max_retries=-1")
	f, tenant := feedtest.Open(t, cfg), feedtest.Tenant()
	m := feedtest.Message(tenant, 1)
	server.SetError("LOADING Redis is loading the dataset in memory")
	err := f.Publish(t.Context(), tenant, m)
	if temporary, ok := err.(interface{ Temporary() bool }); !ok || !temporary.Temporary() {
		t.Fatalf("publish: %v, want a temporary error", err)
	}
	server.SetError("")
	if err := f.Publish(t.Context(), tenant, m); err != nil {
		t.Errorf("publish again: %v", err)
	}
}

func TestFollowersAreConfirmedAgainAfterALostConnection(t *testing.T) {
	t.Parallel()
	server := feedtest.Restartable(t)
	f := feedtest.Open(t, feedtest.Config("redis://"+server.Addr()))
	sink := feedtest.Run(t, f)
	tenants := map[string]bool{feedtest.Tenant(): true, feedtest.Tenant(): true}
	for tenant := range tenants {
		f.Follow(tenant)
	}
	for range tenants {
		sink.Next(t)
	}
	server.Close()
	for range tenants {
		select {
		case l := <-sink.Losses:
			if !tenants[l.TenantID] || time.Since(l.Since) > waittest.Patience {
				t.Errorf("the sink hears that %+v is lost", l)
			}
		case <-time.After(waittest.Patience):
			t.Fatal("the sink does not hear that the subscriptions are lost")
		}
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	confirmed := map[string]bool{}
	for len(confirmed) < len(tenants) {
		h := sink.Next(t)
		if !h.Confirmed || !tenants[h.TenantID] {
			t.Fatalf("heard %+v, want confirmations", h)
		}
		confirmed[h.TenantID] = true
	}
	for tenant := range tenants {
		m := feedtest.Message(tenant, 1)
		if err := f.Publish(t.Context(), tenant, m); err != nil {
			t.Fatal(err)
		}
		if h := sink.Next(t); h.Published.Message.ID != m.ID {
			t.Errorf("heard %+v, want event %s", h, m.ID)
		}
	}
}

func TestTheChainOutlivesTheStream(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	cfg := feedtest.Config("redis://" + server.Addr())
	f, tenant := feedtest.Open(t, cfg), feedtest.Tenant()
	evening, morning := feedtest.Message(tenant, 1), feedtest.Message(tenant, 2)
	if err := f.Publish(t.Context(), tenant, evening); err != nil {
		t.Fatal(err)
	}
	at, _, err := f.Lookup(t.Context(), tenant, evening.ID)
	if err != nil {
		t.Fatal(err)
	}
	server.FastForward(cfg.ReplayTTL.Duration() + time.Second)
	if got, tail, err := f.Recent(t.Context(), tenant, 10); len(got) != 0 || tail.EventID != evening.ID || err != nil {
		t.Fatalf("after the night: %v, %v, %v; want no entry and the evening's tail", got, tail, err)
	}
	if err := f.Publish(t.Context(), tenant, morning); err != nil {
		t.Fatal(err)
	}
	got, _, err := f.Recent(t.Context(), tenant, 10)
	if err != nil || len(got) != 1 || got[0].Prev != at {
		t.Errorf("the morning's entry is %v, %v; want one after %s", got, err, at)
	}
}

func TestAMarkThatHasExpiredLetsAnEventThroughAgain(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	cfg := feedtest.Config("redis://" + server.Addr())
	f, tenant := feedtest.Open(t, cfg), feedtest.Tenant()
	m := feedtest.Message(tenant, 1)
	for range 2 {
		if err := f.Publish(t.Context(), tenant, m); err != nil {
			t.Fatal(err)
		}
		server.FastForward(cfg.ReplayTTL.Duration() + time.Second)
	}
	tails, err := f.Tails(t.Context(), []string{tenant})
	if err != nil || tails[0].EventID != m.ID || tails[0].At.Seq+tails[0].At.Millis == 0 {
		t.Errorf("tails %v, %v", tails, err)
	}
}

func TestTicketsRunOut(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	f := feedtest.Open(t, feedtest.Config("redis://"+server.Addr()))
	ticket, err := f.IssueTicket(t.Context(), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range server.Keys() {
		if strings.Contains(key, ticket) {
			t.Errorf("key %s contains the ticket", key)
		}
	}
	server.FastForward(feed.TicketTTL + time.Second)
	if _, err := f.RedeemTicket(t.Context(), ticket); err != feed.ErrNoTicket { //nolint:errorlint // returned as it is
		t.Errorf("redeem after %s: %v, want ErrNoTicket", feed.TicketTTL, err)
	}
}

func TestForeignEntriesAreToldAsUnreadable(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	f, tenant := feedtest.Open(t, feedtest.Config("redis://"+server.Addr())), feedtest.Tenant()
	sink := feedtest.Run(t, f)
	f.Follow(tenant)
	sink.Next(t)
	if _, err := server.XAdd("orders:{"+tenant+"}:stream", "5-0", []string{"colour", "red"}); err != nil {
		t.Fatal(err)
	}
	got, _, err := f.Recent(t.Context(), tenant, 10)
	if err != nil || len(got) != 1 || got[0].Err == nil || got[0].At != (message.Position{Millis: 5}) {
		t.Errorf("read %v, %v; want one entry with an error", got, err)
	}
	for _, payload := range []string{"", "x", "0-0 1-0 {", "0-0 1-0 {}", "1-0 1-0 {}"} {
		server.Publish("orders:{"+tenant+"}", payload)
		if h := sink.Next(t); h.Published.Err == nil {
			t.Errorf("payload %q was accepted as %+v", payload, h.Published)
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	cfg := feedtest.Config("redis://127.0.0.1:1") // no server listens
	f := feedtest.Open(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	f.Follow("demo")
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx, feedtest.Sink{C: make(chan feedtest.Heard, 1)}) }()
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(waittest.Patience):
		t.Error("Run did not end")
	}
}

func FuzzParsePayload(f *testing.F) {
	f.Add("0-0 1-0 {}")
	f.Add(`1-2 3-4 {"id":"x","event":"order_paid","data":{},"recipients":[]}`)
	f.Add("  ")
	f.Fuzz(func(t *testing.T, payload string) {
		p, ok := feed.ParsePayload(payload)
		if !ok {
			if diff := cmp.Diff(message.Published{}, p); diff != "" {
				t.Errorf("refused, but not empty (-want +got):\n%s", diff)
			}
			return
		}
		if p.At.Compare(p.Prev) <= 0 {
			t.Errorf("%s does not come after %s", p.At, p.Prev)
		}
		if p.Err == nil && !p.Message.Valid() {
			t.Errorf("message %+v was accepted", p.Message)
		}
	})
}

// TestASubscriptionThatHangsIsLost uses a server that keeps the connection and sends nothing, like a stopped process.
func TestASubscriptionThatHangsIsLost(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	gate := feedtest.NewGate(t, server.Addr())
	f, tenant := feedtest.Open(t, feedtest.Config("redis://"+gate.Addr)), feedtest.Tenant()
	sink := feedtest.Run(t, f)
	f.Follow(tenant)
	sink.Next(t)
	gate.Shut(true)
	began := time.Now()
	select {
	case l := <-sink.Losses:
		if l.TenantID != tenant || l.Since.After(began) {
			t.Errorf("the sink hears %+v, want tenant %s and a time before %s", l, tenant, began)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the subscription is lost after %s, want at most 5s", took)
		}
	case <-time.After(waittest.Patience):
		t.Fatal("the subscription is never lost")
	}
}
