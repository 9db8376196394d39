//go:build real

package feed_test

import (
	"net"
	"testing"
	"time"

	"orderbell/internal/feed/feedtest"
)

// TestASubscriptionLeavesADemotedMaster keeps the old connections open, as a virtual address does, the subscription's too.
func TestASubscriptionLeavesADemotedMaster(t *testing.T) {
	t.Parallel()
	const within = 5 * time.Second // the check takes 1 to 1.5 s; the rest is for a busy machine
	cutOff := []string{"replicaof", "127.0.0.1", "1"}
	for name, demotion := range map[string][][]string{
		"a replica that is cut off":                    {cutOff},
		"a replica that is cut off and serves nothing": {cutOff, {"config", "set", "replica-serve-stale-data", "no"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, after := feedtest.Start(t), feedtest.Start(t)
			at := listenAt(t, before.Addr, false)
			follower, publisher := feedtest.Open(t, feedtest.Config(at.url())), feedtest.Open(t, feedtest.Config(at.url()))
			tenant := feedtest.Tenant()
			sink := feedtest.Run(t, follower)
			follower.Follow(tenant)
			sink.Next(t)
			publish := func(n int) {
				t.Helper()
				m := feedtest.Message(tenant, n)
				if err := publisher.Publish(t.Context(), tenant, m); err != nil {
					t.Fatalf("publish message %d: %v", n, err)
				}
				if n != 2 {
					if h := sink.Next(t); h.Published.Message.ID != m.ID {
						t.Fatalf("heard %+v, want message %d", h, n)
					}
				}
			}
			publish(1)
			at.leadTo(after.Addr, "")
			for _, command := range demotion {
				before.CLI(t, command...)
			}
			switched := time.Now()
			publish(2) // on the new master: the subscription may still be with the old one
			for h := sink.Next(t); !h.Confirmed; h = sink.Next(t) {
			}
			if took := time.Since(switched); took > within {
				t.Errorf("the subscription left the old master after %s, want at most %s", took, within)
			}
			publish(3)
			if err := follower.Probe(t.Context()); err != nil {
				t.Errorf("probe: %v", err)
			}
		})
	}
}

func TestAReplicaOfTheNewMasterPassesMessagesOn(t *testing.T) {
	t.Parallel()
	before, after := feedtest.Start(t), feedtest.Start(t)
	at := listenAt(t, before.Addr, false)
	follower, publisher := feedtest.Open(t, feedtest.Config(at.url())), feedtest.Open(t, feedtest.Config(at.url()))
	tenant := feedtest.Tenant()
	sink := feedtest.Run(t, follower)
	follower.Follow(tenant)
	sink.Next(t)
	at.leadTo(after.Addr, "")
	host, port, err := net.SplitHostPort(after.Addr)
	if err != nil {
		t.Fatal(err)
	}
	before.CLI(t, "replicaof", host, port)
	m := feedtest.Message(tenant, 1)
	if err := publisher.Publish(t.Context(), tenant, m); err != nil {
		t.Fatal(err)
	}
	for {
		h := sink.Next(t)
		if h.Published.Message.ID == m.ID {
			return
		}
		if !h.Confirmed {
			t.Fatalf("heard %+v, want event %s or a confirmation", h, m.ID)
		}
		// The subscription moved: what came before is read, as the gateway does.
		if got, _, err := follower.Recent(t.Context(), tenant, 1); err == nil && len(got) == 1 && got[0].Message.ID == m.ID {
			return
		}
	}
}
