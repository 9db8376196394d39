//go:build real

package gateway_test

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/dev/waittest"
	"orderbell/internal/feed/feedtest"
)

// setupReal returns a gateway on the Redis at url.
func setupReal(t *testing.T, url string) *bundle {
	t.Helper()
	cfg := config(url)
	b := &bundle{cfg: cfg, feed: feedtest.Open(t, cfg.Feed), tenant: feedtest.Tenant()}
	b.start(t)
	return b
}

// redisURL returns the address of the Redis that test/services/up started.
func redisURL(t *testing.T) string {
	t.Helper()
	url := os.Getenv("REDIS_URL")
	if url == "" {
		t.Fatal("REDIS_URL is not set: tests with the tag real need a Redis server")
	}
	return url
}

func TestRightsAreThoseOfNowOnRealRedis(t *testing.T) {
	t.Parallel()
	walk(t, setupReal(t, redisURL(t)))
}

func TestJoiningWhileOrdersComeInOnRealRedis(t *testing.T) {
	t.Parallel()
	const orders, followers = 2000, 8
	b := setupReal(t, redisURL(t))
	var wait sync.WaitGroup
	for range followers {
		wait.Go(func() {
			v, n := &follower{lastEventID: "0"}, 0
			v.follow(t, b, orders, func() bool { n++; return n%170 == 0 })
			if diff := cmp.Diff(upTo(orders), v.amounts); diff != "" {
				t.Errorf("in %d streams (-want +got):\n%s", v.streams, diff)
			}
		})
	}
	for i := range orders {
		b.publish(t, i+1)
	}
	wait.Wait()
}

// TestAFailoverIsNeverSilent kills the master of a cluster while orders come in. Redis loses what the replica did not have yet,
// and every client is told that it may have missed something.
func TestAFailoverIsNeverSilent(t *testing.T) {
	t.Parallel()
	const orders, followers = 400, 4
	cluster := feedtest.StartCluster(t)
	b := setupReal(t, cluster.URL())
	var wait sync.WaitGroup
	for range followers {
		wait.Go(func() {
			v := &follower{lastEventID: "0"}
			v.follow(t, b, orders, func() bool { return false })
			if diff := cmp.Diff(upTo(orders), v.amounts); diff != "" && v.resyncs == 0 {
				t.Errorf("without a resync (-want +got):\n%s", diff)
			}
		})
	}
	var killed time.Time
	for i := range orders {
		if i == orders/2 {
			cluster.MasterOf(t, b.tenant).Kill()
			killed = time.Now()
		}
		m := feedtest.Message(b.tenant, i+1)
		waittest.Until(t, "the order is published", func() bool { return b.feed.Publish(t.Context(), b.tenant, m) == nil })
	}
	if took := time.Since(killed); took > patience { // the cluster itself needs some two seconds
		t.Errorf("orders were published again after %s, want them as soon as the replica is promoted", took)
	}
	wait.Wait()
}

// TestARestartedRedisIsNoLoss restarts a server that keeps its data: the clients' streams stay, and nothing is missed.
func TestARestartedRedisIsNoLoss(t *testing.T) {
	t.Parallel()
	const orders = 300
	server := feedtest.Start(t)
	b := setupReal(t, server.URL())
	v := &follower{lastEventID: "0"}
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.follow(t, b, orders, func() bool { return false })
	}()
	for i := range orders {
		if i%60 == 30 {
			server.CLI(t, "client", "kill", "type", "pubsub")
		}
		b.publish(t, i+1)
	}
	select {
	case <-done:
	case <-time.After(4 * patience):
		t.Fatal("the follower has not seen the last order")
	}
	if diff := cmp.Diff(upTo(orders), v.amounts); diff != "" || v.resyncs > 0 || v.streams != 1 {
		t.Errorf("in %d streams with %d resyncs (-want +got):\n%s", v.streams, v.resyncs, diff)
	}
}
