//go:build real

package feed_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"orderbell/internal/dev/waittest"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/feed/message"
)

func TestConformanceOfRealRedis(t *testing.T) {
	t.Parallel()
	url := os.Getenv("REDIS_URL")
	if url == "" {
		t.Fatal("REDIS_URL is not set: tests with the tag real need a Redis server")
	}
	feedtest.Suite(t, url)
}

func TestConformanceOfARedisCluster(t *testing.T) {
	t.Parallel()
	feedtest.Suite(t, feedtest.StartCluster(t).URL())
}

func TestClassicPubSubOfRealRedis(t *testing.T) {
	t.Parallel()
	server := feedtest.Start(t)
	cfg := feedtest.Config(server.URL())
	for _, mode := range []string{"off", "on", "auto"} {
		cfg.Sharded = mode
		f, tenant := feedtest.Open(t, cfg), feedtest.Tenant()
		sink := feedtest.Run(t, f)
		f.Follow(tenant)
		sink.Next(t)
		if sharded := strings.Contains(server.CLI(t, "pubsub", "shardchannels"), tenant); sharded != (mode != "off") {
			t.Errorf("mode %s: sharded is %t", mode, sharded)
		}
		m := feedtest.Message(tenant, 1)
		if err := f.Publish(t.Context(), tenant, m); err != nil {
			t.Fatal(err)
		}
		if h := sink.Next(t); h.Published.Message.ID != m.ID {
			t.Errorf("mode %s: heard %+v, want event %s", mode, h, m.ID)
		}
	}
}

func TestAKilledConnectionIsConfirmedAgain(t *testing.T) {
	t.Parallel()
	server := feedtest.Start(t)
	f, tenant := feedtest.Open(t, feedtest.Config(server.URL())), feedtest.Tenant()
	sink := feedtest.Run(t, f)
	f.Follow(tenant)
	sink.Next(t)
	server.CLI(t, "client", "kill", "type", "pubsub")
	if h := sink.Next(t); !h.Confirmed || h.TenantID != tenant {
		t.Errorf("heard %+v, want the confirmation of %s", h, tenant)
	}
}

// TestAClusterThatLosesAMaster checks that every tenant continues once a replica has taken over: it is followed on the new
// master, with one chain, or with a tail that shows what the old master lost.
func TestAClusterThatLosesAMaster(t *testing.T) {
	t.Parallel()
	cluster := feedtest.StartCluster(t)
	f := feedtest.Open(t, feedtest.Config(cluster.URL()))
	sink := feedtest.Run(t, f)
	const tenants = 12 // some on each master
	names := map[string]bool{}
	var first string
	for range tenants {
		name := feedtest.Tenant()
		names[name], first = true, name
		f.Follow(name)
	}
	for range tenants {
		if h := sink.Next(t); !h.Confirmed {
			t.Fatalf("heard %+v, want confirmations", h)
		}
	}
	publish := func(n int) map[string]string {
		ids := map[string]string{}
		for name := range names {
			m := feedtest.Message(name, n)
			ids[name] = m.ID
			waittest.Until(t, fmt.Sprintf("message %d of %s is published", n, name), func() bool {
				return f.Publish(t.Context(), name, m) == nil // as the broker delivers again
			})
		}
		return ids
	}
	publish(1)
	for range tenants {
		sink.Next(t)
	}
	master := cluster.MasterOf(t, first)
	master.Kill()
	ids := publish(2)
	// What was published before the subscription stood again is found by reading, as the gateway does.
	for name := range names {
		var got []message.Published
		waittest.Until(t, "the stream is read", func() bool {
			var err error
			got, _, err = f.Recent(t.Context(), name, 10)
			return err == nil
		})
		if n := len(got); n == 0 || got[n-1].Message.ID != ids[name] {
			t.Errorf("tenant %s ends with %v, want event %s", name, got, ids[name])
		}
	}
	// And every tenant of the dead master is confirmed on the new one and hears what comes next.
	ids = publish(3)
	heard := map[string]bool{}
	for len(heard) < tenants {
		h := sink.Next(t)
		switch {
		case h.Confirmed && !heard[h.TenantID]:
			// It may have come too late for message 3: send another.
			m := feedtest.Message(h.TenantID, 4)
			ids[h.TenantID] = m.ID
			waittest.Until(t, "one more message is published", func() bool { return f.Publish(t.Context(), h.TenantID, m) == nil })
		case h.Published.Message.ID == ids[h.TenantID]:
			heard[h.TenantID] = true
		}
	}
}
