// Package tenantlogtest creates logs for tests without Redis. The tests apply messages themselves.
package tenantlogtest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"orderbell/internal/duration"
	"orderbell/internal/event"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/tenantlog"
)

// Nothing is a stream that never had a message.
type Nothing struct{}

func (Nothing) Follow(string)   {}
func (Nothing) Unfollow(string) {}
func (Nothing) Recent(context.Context, string, int) ([]message.Published, message.Tail, error) {
	return nil, message.Tail{}, nil
}

// Read never answers, because it would report that the test's messages are not in the stream.
func (Nothing) Read(ctx context.Context, _ string, _ message.Position, _ int) ([]message.Published, message.Tail, error) {
	<-ctx.Done()
	return nil, message.Tail{}, ctx.Err()
}

func (Nothing) Tails(context.Context, []string) ([]message.Tail, error) { return nil, nil }
func (Nothing) Lookup(context.Context, string, string) (message.Position, bool, error) {
	return message.Position{}, false, nil
}

// Local returns an empty log of tenant demo.
func Local(tb testing.TB, maxBytes, maxEvents int) *tenantlog.Log {
	tb.Helper()
	cfg := tenantlog.Config{MaxBytes: maxBytes, MaxEvents: maxEvents, CompareEvery: duration.Seconds(time.Hour)}
	return Acquire(tb, Run(tb, cfg, Nothing{}), "demo")
}

// Run returns logs that run until the end of the test.
func Run(tb testing.TB, cfg tenantlog.Config, stream tenantlog.Stream) *tenantlog.Logs {
	tb.Helper()
	logs, err := tenantlog.New(cfg, stream, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan struct{})
	go func() {
		logs.Run(ctx)
		close(done)
	}()
	tb.Cleanup(func() {
		cancel()
		<-done
	})
	return logs
}

// Acquire returns a tenant's log, empty if it is new.
func Acquire(tb testing.TB, logs *tenantlog.Logs, tenant string) *tenantlog.Log {
	tb.Helper()
	gone, leave := context.WithCancel(tb.Context())
	leave()
	if log, err := logs.Acquire(gone, tenant, 0); err == nil { // makes the log and does not wait for it
		logs.Release(log)
	}
	logs.Confirmed(tenant) // fills a new log, with nothing
	log, err := logs.Acquire(tb.Context(), tenant, 0)
	if err != nil {
		tb.Fatal(err)
	}
	return log
}

// Published returns the n-th message of a chain.
func Published(n int, to ...event.Recipient) message.Published {
	at := func(n int) message.Position { return message.Position{Millis: uint64(n)} } //nolint:gosec // small
	return message.Published{Prev: at(n - 1), At: at(n), Message: feedtest.Message("demo", n, to...)}
}
