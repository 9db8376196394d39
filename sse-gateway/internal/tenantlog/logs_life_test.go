package tenantlog_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/dev/waittest"
	"orderbell/internal/feed"
	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/tenantlog"
)

func TestIdleLogsAreLetGo(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tenantlog.Config) { c.Linger = 0 })
	log := b.acquire(t)
	if b.logs.Len() != 1 {
		t.Fatalf("%d logs, want 1", b.logs.Len())
	}
	b.logs.Release(log)
	over := time.After(waittest.Patience)
	for b.logs.Len() > 0 {
		select {
		case <-over:
			t.Fatal("the idle log is still there")
		case <-time.After(10 * time.Millisecond):
		}
	}
	m := b.publish(t, 1) // no server listens
	if joined := b.acquire(t).Join(tenantlog.StartID); joined.Resync != "" || joined.Cursor != 1 {
		t.Errorf("the new log joins %+v, want event %s before it", joined, m.ID)
	}
}

func TestLocate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	log := b.acquire(t)
	ahead := b.lose(t, 1) // another instance has it, this one does not know
	old := uuid.Must(uuid.NewV7())
	old[0], old[1] = 0, 1 // from 1970
	for name, c := range map[string]struct {
		id   string
		want tenantlog.Reason
	}{
		"malformed":                          {"bogus", tenantlog.UnknownID},
		"never heard of":                     {uuid.Must(uuid.NewV7()).String(), tenantlog.UnknownID},
		"of yesterday":                       {old.String(), tenantlog.TooOld},
		"the beginning, long gone":           {"0", tenantlog.TooOld},
		"another instance was ahead of this": {ahead.ID, ""},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), waittest.Patience)
		if got := b.logs.Locate(ctx, log, c.id); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		cancel()
	}
	if joined := log.Join(ahead.ID); !joined.Resumed {
		t.Errorf("joined %+v after what another instance had", joined)
	}
}

// late says where an event is after before has returned.
type late struct {
	*feed.Feed
	before func()
}

func (l *late) Lookup(ctx context.Context, tenantID, eventID string) (message.Position, bool, error) {
	at, ok, err := l.Feed.Lookup(ctx, tenantID, eventID)
	l.before()
	return at, ok, err
}

// TestAnEventThatArrivesDuringTheLookupIsNoResync joins a client that was on a faster instance before. Its last event reaches
// this instance between the first look and Redis's answer.
func TestAnEventThatArrivesDuringTheLookupIsNoResync(t *testing.T) {
	t.Parallel()
	slow := &late{}
	b := setupOn(t, func(f *feed.Feed) tenantlog.Stream {
		slow.Feed = f
		return slow
	})
	log := b.acquire(t)
	m := b.lose(t, 1)
	slow.before = func() {
		b.logs.Confirmed(b.tenant) // as after a lost connection: the log reads what it is missing
		at, _, err := b.feed.Lookup(t.Context(), b.tenant, m.ID)
		if err != nil {
			t.Error(err)
		}
		waittest.Until(t, "the event is in the log", func() bool { return log.Reached(at) })
	}
	if j := b.logs.Join(t.Context(), log, m.ID); j.Resync != "" || !j.Resumed {
		t.Errorf("joined as %+v, want to resume", j)
	}
}
