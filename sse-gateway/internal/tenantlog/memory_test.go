package tenantlog_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"orderbell/internal/dev/waittest"
	"orderbell/internal/duration"
	"orderbell/internal/event"
	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/budget"
	"orderbell/sse-gateway/internal/tenantlog"
	"orderbell/sse-gateway/internal/tenantlog/tenantlogtest"
)

// still is a stream without messages besides those that a test applied.
type still struct{ tenantlogtest.Nothing }

func (still) Read(_ context.Context, _ string, after message.Position, _ int) ([]message.Published, message.Tail, error) {
	return nil, message.Tail{At: after}, nil
}

// local returns running logs that read no stream, with a budget.
func local(t *testing.T, maxBytes int, bytes int64) *tenantlog.Logs {
	t.Helper()
	return tenantlogtest.Run(t, tenantlog.Config{
		MaxBytes: maxBytes, MaxEvents: 8192, Linger: duration.Seconds(time.Hour), CompareEvery: duration.Seconds(time.Hour),
		Memory: budget.Config{Bytes: bytes},
	}, still{})
}

func recipients(n int) []event.Recipient {
	to := make([]event.Recipient, n)
	for i := range to {
		to[i] = event.Recipient{UserID: fmt.Sprintf("%036d", i), NotificationID: fmt.Sprintf("%036d", n+i)}
	}
	return to
}

func TestAllLogsTogetherFitTheBudget(t *testing.T) {
	t.Parallel()
	const limit = 16 << 20
	logs := local(t, 4<<20, limit)
	small := tenantlogtest.Acquire(t, logs, "small")
	for i := 1; i <= 20; i++ {
		small.Apply(tenantlogtest.Published(i))
	}
	oldest, _ := small.Window()
	for n := range 40 { // each would take 4 MiB
		log := tenantlogtest.Acquire(t, logs, fmt.Sprintf("t-%d", n))
		for i := 1; i <= 20; i++ {
			log.Apply(tenantlogtest.Published(i, recipients(3000)...))
			waittest.Until(t, "the logs fit the budget", func() bool { return logs.Budget.Used() <= limit })
		}
	}
	if logs.Relieved.Trimmed.Load() == 0 {
		t.Error("no log was cut")
	}
	if now, _ := small.Window(); now != oldest {
		t.Errorf("the small tenant's log begins at %d now, not at %d: it lost frames to the large ones", now, oldest)
	}
}

func TestLogsWithoutWatchersAreDroppedFirst(t *testing.T) {
	t.Parallel()
	const limit = 16 << 20
	logs := local(t, 4<<20, limit)
	fill := func(tenant string) *tenantlog.Log {
		log := tenantlogtest.Acquire(t, logs, tenant)
		for i := 1; i <= 14; i++ {
			log.Apply(tenantlogtest.Published(i, recipients(3000)...))
		}
		return log
	}
	first, second := fill("left first"), fill("left second")
	logs.Release(first)
	logs.Release(second)
	watched := fill("watched")
	fill("one more")
	fill("and one more")
	waittest.Until(t, "the log that was left first is dropped", func() bool { return logs.Relieved.Dropped.Load() == 1 })
	if got := tenantlogtest.Acquire(t, logs, "left second"); got != second {
		t.Error("the log that was left second is gone, want the first alone dropped")
	}
	if got := tenantlogtest.Acquire(t, logs, "left first"); got == first {
		t.Error("the log that was left first is still there")
	}
	if oldest, _ := watched.Window(); oldest != 1 || logs.Relieved.Trimmed.Load() != 0 {
		t.Errorf("the watched log begins at %d, %d logs were cut: want it whole", oldest, logs.Relieved.Trimmed.Load())
	}
}
