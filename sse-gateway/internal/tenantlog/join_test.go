package tenantlog_test

import (
	"testing"

	"orderbell/sse-gateway/internal/tenantlog"
)

// TestJoinAfterAnEventThatCameAgain reconnects with the id of an event that is in the stream twice. What followed its first
// position may be lost.
func TestJoinAfterAnEventThatCameAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	log := b.acquire(t)
	begin := log.Join("").Cursor
	seen, missed := b.publish(t, 1), b.publish(t, 2)
	b.redis.Del("orders:{" + b.tenant + "}:event:" + seen.ID) // its mark has expired
	again := seen
	again.Again = true
	if err := b.feed.Publish(t.Context(), b.tenant, again); err != nil {
		t.Fatal(err)
	}
	read(t, log, begin, "").names(t, 3)
	if got, want := log.Join(seen.ID), (tenantlog.Joined{Cursor: 2, ID: seen.ID, Resumed: true}); got != want {
		t.Errorf("where both places are known: %+v, want %+v, so that %s follows", got, want, missed.ID)
	}

	other := setup(t) // another instance, on a Redis that has lost its memory
	if err := other.feed.Publish(t.Context(), b.tenant, again); err != nil {
		t.Fatal(err)
	}
	other.tenant = b.tenant
	log = other.acquire(t)
	if got, want := log.Join(seen.ID), (tenantlog.Joined{Cursor: 2, ID: seen.ID}); got != want {
		t.Errorf("where the first place is forgotten: %+v, want %+v, not resumed", got, want)
	}
	if got := log.Join(missed.ID); got.Resync != tenantlog.UnknownID {
		t.Errorf("after what was lost: %+v, want a resync", got)
	}
	if got, want := log.Join(tenantlog.StartID), (tenantlog.Joined{Cursor: 1, ID: tenantlog.StartID}); got != want {
		t.Errorf("from the beginning: %+v, want %+v, not resumed", got, want)
	}

	third := setup(t) // and one whose log has dropped the copy
	third.tenant = b.tenant
	if err := third.feed.Publish(t.Context(), b.tenant, again); err != nil {
		t.Fatal(err)
	}
	third.redis.Del("orders:{" + b.tenant + "}:stream")
	if got := third.acquire(t).Join(seen.ID); got.Resumed {
		t.Errorf("where only the tail is left: %+v, want it not resumed", got)
	}
}
