package outbox_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"orderbell/internal/event"
	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/outbox"
)

// all takes all events.
const all = 1000

// insert puts n events of one order into shard.
func insert(t *testing.T, pool *database.Pool, shard, n int) (order string) {
	t.Helper()
	order = uuid.NewString()
	for range n {
		_, err := pool.Exec(t.Context(), `
INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at, traceparent, tracestate)
VALUES ($1, $2, '/test', 'order_created', 'demo', $3, '{"a": 1}', '2026-11-24T10:00:00.123456Z', 'trace', 'vendor=1')`,
			shard, uuid.NewString(), order)
		if err != nil {
			t.Fatal(err)
		}
	}
	return order
}

// acknowledge is a sender whose events are all acknowledged.
func acknowledge(_ context.Context, events []event.Outgoing) []int64 { return positions(events) }

func positions(events []event.Outgoing) []int64 {
	all := make([]int64, len(events))
	for i, e := range events {
		all[i] = e.Position
	}
	return all
}

// take takes all events with o and returns them.
func take(t *testing.T, o *outbox.Outbox) []event.Outgoing {
	t.Helper()
	var got []event.Outgoing
	n, err := o.Take(t.Context(), 0, 16, all, func(ctx context.Context, events []event.Outgoing) []int64 {
		got = events
		return acknowledge(ctx, events)
	})
	if err != nil {
		t.Fatal(err)
	}
	if n != len(got) {
		t.Errorf("Take says %d, but %d came", n, len(got))
	}
	return got
}

// takeSoon is take once the server has noticed that the connection which held the shards is gone.
func takeSoon(t *testing.T, o *outbox.Outbox) []event.Outgoing {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		if got := take(t, o); len(got) > 0 || time.Now().After(deadline) {
			return got
		}
	}
}

func TestTake(t *testing.T) {
	t.Parallel()

	t.Run("events are taken as they were written, in order and once", func(t *testing.T) {
		t.Parallel()
		pool := databasetest.New(t)
		o := outbox.New(pool)
		first, second := insert(t, pool, 15, 2), insert(t, pool, 0, 1)
		got := take(t, o)
		if !slices.IsSorted(positions(got)) {
			t.Errorf("positions %v, want them ascending", positions(got))
		}
		var orders []string
		for _, e := range got {
			orders = append(orders, e.OrderID)
		}
		if diff := cmp.Diff([]string{first, first, second}, orders); diff != "" {
			t.Error(diff)
		}
		want := event.Outgoing{
			Position: got[0].Position, ID: got[0].ID, Source: "/test", Type: event.OrderCreated, TenantID: "demo", OrderID: first,
			Time: time.Date(2026, 11, 24, 10, 0, 0, 123456000, time.UTC), TraceParent: "trace", TraceState: "vendor=1", Raw: []byte(`{"a": 1}`),
		}
		if diff := cmp.Diff(want, got[0], cmp.Comparer(time.Time.Equal)); diff != "" {
			t.Error(diff)
		}
		if again := take(t, o); again != nil {
			t.Errorf("%d events came a second time", len(again))
		}
	})

	t.Run("events that were not sent are taken again", func(t *testing.T) {
		t.Parallel()
		pool := databasetest.New(t)
		o := outbox.New(pool)
		insert(t, pool, 3, 5)
		var left []int64
		_, err := o.Take(t.Context(), 0, 16, all, func(_ context.Context, events []event.Outgoing) []int64 {
			left = positions(events[2:])
			return positions(events[:2])
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = o.Take(t.Context(), 0, 16, all, func(context.Context, []event.Outgoing) []int64 { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(left, positions(take(t, o))); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("a batch is bounded, and a busy shard leaves room for others", func(t *testing.T) {
		t.Parallel()
		pool := databasetest.New(t)
		o := outbox.New(pool)
		busy := insert(t, pool, 5, 50)
		quiet := insert(t, pool, 6, 1)
		byOrder := map[string]int{}
		n, err := o.Take(t.Context(), 0, 16, 20, func(_ context.Context, events []event.Outgoing) []int64 {
			for _, e := range events {
				byOrder[e.OrderID]++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n > 20 || byOrder[quiet] != 1 || byOrder[busy] != 19 {
			t.Errorf("%d of 20 came: %d of the busy shard and %d of the quiet one, want 19 and 1", n, byOrder[busy], byOrder[quiet])
		}
	})

	t.Run("the shards from the first on go first", func(t *testing.T) {
		t.Parallel()
		pool := databasetest.New(t)
		o := outbox.New(pool)
		orders := map[string]int{}
		for shard := range 16 {
			orders[insert(t, pool, shard, 1)] = shard
		}
		var got []int
		_, err := o.Take(t.Context(), 14, 4, all, func(_ context.Context, events []event.Outgoing) []int64 {
			for _, e := range events {
				got = append(got, orders[e.OrderID])
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		if diff := cmp.Diff([]int{0, 1, 14, 15}, got); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("a locked shard is skipped", func(t *testing.T) {
		t.Parallel()
		pool := databasetest.New(t)
		o := outbox.New(pool)
		held, free := insert(t, pool, 1, 3), insert(t, pool, 2, 3)
		inHand, finish := make(chan struct{}), make(chan struct{})
		done := make(chan error, 1)
		go func() {
			_, err := o.Take(t.Context(), 1, 1, all, func(ctx context.Context, events []event.Outgoing) []int64 {
				close(inHand)
				<-finish
				return acknowledge(ctx, events)
			})
			done <- err
		}()
		<-inHand
		for _, e := range take(t, o) {
			if e.OrderID != free {
				t.Errorf("an event of order %s came, whose shard another Take holds (%s)", e.OrderID, held)
			}
		}
		if got := take(t, o); got != nil {
			t.Errorf("%d events came, but another Take holds the shards of all", len(got))
		}
		close(finish)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := take(t, o); got != nil {
			t.Errorf("%d events came after their mark", len(got))
		}
	})

	t.Run("a lost connection marks nothing and frees the shards", func(t *testing.T) {
		t.Parallel()
		pool := databasetest.New(t)
		o := outbox.New(pool)
		insert(t, pool, 1, 3)
		_, err := o.Take(t.Context(), 0, 16, all, func(ctx context.Context, events []event.Outgoing) []int64 {
			_, err := pool.Exec(ctx, `
SELECT pg_terminate_backend(pid, 30000) FROM pg_locks -- and waits until it is gone
WHERE locktype = 'advisory' AND classid = $1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, 0x6f757462)
			if err != nil {
				t.Error(err)
			}
			return acknowledge(ctx, events)
		})
		var temporary interface{ Temporary() bool }
		if !errors.As(err, &temporary) {
			t.Errorf("error %v, want a temporary one", err)
		}
		if got := len(takeSoon(t, o)); got != 3 {
			t.Errorf("%d events came again, want 3", got)
		}
	})

	t.Run("a silent connection loses its shards", func(t *testing.T) {
		t.Parallel()
		pool := databasetest.New(t)
		o := outbox.New(pool)
		insert(t, pool, 1, 3)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		came := 0
		_, err := o.Take(ctx, 0, 16, all, func(_ context.Context, events []event.Outgoing) []int64 {
			came = len(takeSoon(t, o)) // as another relay, while this one is silent
			return positions(events)
		})
		if came != 3 || err == nil {
			t.Errorf("%d events came to somebody else, want 3; the silent one's error is %v", came, err)
		}
	})

	t.Run("a context that ends leaves no lock", func(t *testing.T) {
		t.Parallel()
		pool := databasetest.New(t)
		o := outbox.New(pool)
		insert(t, pool, 1, 3)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := o.Take(ctx, 0, 16, all, func(ctx context.Context, events []event.Outgoing) []int64 {
			cancel()
			return acknowledge(ctx, events)
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
		if got := len(takeSoon(t, o)); got != 3 {
			t.Errorf("%d events came again, want 3", got)
		}
	})
}

// Nothing fails here, so nothing may come twice: a taker that locks a shard after another has to see its marks.
func TestManyTakersDoNotMeet(t *testing.T) {
	t.Parallel()
	pool := databasetest.New(t)
	const takers, batches, each = 6, 40, 16
	var mu sync.Mutex
	came := map[int64]int{}
	last := map[string]int64{}
	inserted := make(chan struct{})
	var running sync.WaitGroup
	for i := range takers {
		running.Go(func() {
			o := outbox.New(pool)
			for {
				finished := false
				select {
				case <-inserted:
					finished = true
				default:
				}
				n, err := o.Take(t.Context(), i, 3, 10, func(_ context.Context, events []event.Outgoing) []int64 {
					mu.Lock()
					defer mu.Unlock()
					for _, e := range events {
						came[e.Position]++
						if e.Position <= last[e.OrderID] {
							t.Errorf("position %d came after %d", e.Position, last[e.OrderID])
						}
						last[e.OrderID] = e.Position
					}
					return positions(events)
				})
				if err != nil {
					t.Error(err)
					return
				}
				if n == 0 && finished {
					return
				}
			}
		})
	}
	for b := range batches {
		for shard := range each {
			insert(t, pool, shard, 1+b%2)
		}
	}
	close(inserted)
	running.Wait()
	for taken := 1; taken > 0; { // events whose shards others held when the last Take ended
		taken = len(take(t, outbox.New(pool)))
		if taken > 0 {
			t.Errorf("%d events were left", taken)
		}
	}
	if want := batches * each * 3 / 2; len(came) != want {
		t.Errorf("%d events came, want %d", len(came), want)
	}
	for position, times := range came {
		if times != 1 {
			t.Errorf("position %d came %d times", position, times)
		}
	}
}

// A table of mostly sent rows is what an outbox becomes, while its statistics may be of the hour when nothing was sent.
func TestTakeReadsOnlyUnsentRows(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	pool, preparing := databasetest.Open(t, address), databasetest.Open(t, address)
	const sent, unsent = 8000, 5
	for _, statement := range []string{
		`INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at)
		 SELECT n % 16, gen_random_uuid(), '/test', 'order_created', 'demo', gen_random_uuid(), '{}', now()
		 FROM generate_series(1, 8000) n`,
		`ANALYZE outbox`, // knows of unsent rows alone
		`UPDATE outbox SET sent_at = now()`,
		`VACUUM outbox`,
	} {
		if _, err := preparing.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	insert(t, preparing, 3, unsent)
	closeAll(t, pool, preparing)
	before := rowsRead(t, pool)
	taking := databasetest.Open(t, address)
	if got := len(take(t, outbox.New(taking))); got != unsent {
		t.Fatalf("%d events came, want %d", got, unsent)
	}
	closeAll(t, pool, taking)
	if read := rowsRead(t, pool) - before; read < unsent || read > sent/10 {
		t.Errorf("taking %d events read %d rows", unsent, read)
	}
}

// rowsRead is how many rows, dead ones included, every scan of the outbox has read so far.
func rowsRead(t *testing.T, pool *database.Pool) (n int) {
	t.Helper()
	err := pool.QueryRow(t.Context(), `
SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname = 'outbox')
     + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'outbox')`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
