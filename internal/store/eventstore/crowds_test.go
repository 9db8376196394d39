package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/event"
	"orderbell/internal/store/database"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/user"
)

// enough is one more recipient than an event may have and share a statement.
const enough = 65

// until waits until yes returns true, and fails the test with what otherwise.
func until(t *testing.T, yes func() bool, what func() string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !yes(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what())
		}
	}
}

// held returns how many statements wait for the table of records.
func held(t *testing.T, pool *database.Pool) int {
	t.Helper()
	return count(t, pool, `SELECT count(*) FROM pg_locks WHERE relation = 'event_records'::regclass AND NOT granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
}

// whileHeld calls do while no record can be written.
func whileHeld(t *testing.T, pool *database.Pool, do func()) {
	t.Helper()
	if err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "LOCK TABLE event_records IN SHARE MODE")
		if err == nil {
			do()
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestACrowdGoesAlone uses a tenant with many recipients: its events must not delay those of others, neither in their batches
// nor for a connection.
func TestACrowdGoesAlone(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	addCrowd(t, pool, "demo", enough)
	waiting := func(gathered, inTurn, atTable int) {
		t.Helper()
		var applying sync.WaitGroup
		defer applying.Wait()
		whileHeld(t, pool, func() {
			for range eventstore.Batches + 1 {
				e := paid(t)
				applying.Go(func() { apply(t, s, e) })
			}
			until(t, func() bool {
				return s.Gathered() == gathered && s.InTurn() == inTurn && held(t, pool) == atTable
			}, func() string {
				return cmp.Diff([]int{gathered, inTurn, atTable}, []int{s.Gathered(), s.InTurn(), held(t, pool)})
			})
		})
	}
	waiting(1, 0, eventstore.Batches) // its recipients are not known yet
	waiting(0, 3, 1)
	exec(t, pool, `UPDATE users SET notification_in_app_enabled = false, notification_email_enabled = false WHERE tenant_id = 'demo'`)
	apply(t, s, paid(t)) // finds that there are few
	waiting(1, 0, eventstore.Batches)
	if n := s.InTurn(); n != 0 {
		t.Errorf("%d events are in turn when all are done", n)
	}
}

// TestTheFirstEventsOfACrowdShareNoStatement applies a burst of a tenant whose audience is unknown.
func TestTheFirstEventsOfACrowdShareNoStatement(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	addCrowd(t, pool, "demo", enough)
	events := make([]event.Event, eventstore.MaxWaiting+1)
	for i := range events {
		events[i] = paid(t)
	}
	receipts, errs := applyAtOnce(t, s, pool, len(events)-eventstore.Batches, events)
	for i, r := range receipts {
		if errs[i] != nil || len(r.Recipients) != enough {
			t.Errorf("%d recipients, %v", len(r.Recipients), errs[i])
		}
	}
	if n := count(t, pool, "SELECT count(DISTINCT xmin::text) FROM event_records"); n != len(events) {
		t.Errorf("%d events took %d transactions, want one each", len(events), n)
	}
	assertCounts(t, pool, len(events), enough*len(events), enough*len(events))
}

// TestCrowdsTakeTurns applies many events of one crowd, and one event of another that arrives last.
func TestCrowdsTakeTurns(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	addCrowd(t, pool, "demo", enough)
	addCrowd(t, pool, "other", enough)
	theirs := func() event.Event {
		e := paid(t)
		e.Data.TenantID = "other"
		return encode(t, e)
	}
	apply(t, s, paid(t))
	apply(t, s, theirs())
	exec(t, pool, "TRUNCATE event_records")
	var applying sync.WaitGroup
	whileHeld(t, pool, func() {
		begin := func(ctx context.Context, e event.Event, inTurn int, want error) {
			applying.Go(func() {
				if _, err := s.Apply(ctx, e, sellers()); !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			})
			until(t, func() bool { return s.InTurn() == inTurn && held(t, pool) == 1 }, func() string { return "the event did not come" })
		}
		for n := range 6 {
			begin(t.Context(), paid(t), n+1, nil)
		}
		given, giveUp := context.WithCancel(t.Context()) // a call that gives up leaves its place to the next one
		begin(given, theirs(), 7, context.Canceled)      // waits among tenants
		begin(t.Context(), theirs(), 8, nil)
		begin(given, paid(t), 9, context.Canceled) // waits among its own tenant's events
		giveUp()
		until(t, func() bool { return s.InTurn() == 7 }, func() string { return "those that gave up are still in turn" })
	})
	until(t, func() bool { return s.InTurn() == 0 }, func() string { return "events wait for a turn that does not come" })
	applying.Wait()
	// Its place is the second one, or the third if it was about to wait when the first one ended.
	place := count(t, pool, `SELECT n FROM (SELECT tenant_id, row_number() OVER (ORDER BY xmin::text::bigint) AS n FROM event_records) r WHERE tenant_id = 'other'`)
	if all := count(t, pool, "SELECT count(*) FROM event_records"); all != 7 || place > 3 {
		t.Errorf("of %d events the other tenant's was number %d, want 7 and 2", all, place)
	}
}

// TestWaitingCrowdsLeaveRoomForOthers has more events of crowds than may wait: those that are too many are refused at once, so that they
// take no place among the requests of an instance. A crowd with many does not keep another from waiting.
func TestWaitingCrowdsLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	tenants := []string{"demo", "other", "third"}
	exec(t, pool, `INSERT INTO tenants (id, name) VALUES ('third', 'Third')`)
	of := func(tenantID string) event.Event {
		e := paid(t)
		e.Data.TenantID = tenantID
		return encode(t, e)
	}
	for _, tenantID := range tenants {
		addCrowd(t, pool, tenantID, enough)
		apply(t, s, of(tenantID))
	}
	var applying sync.WaitGroup
	refused := map[string]*atomic.Int64{}
	for _, tenantID := range tenants {
		refused[tenantID] = &atomic.Int64{}
	}
	begin := func(tenantID string, n int) {
		for range n {
			e := of(tenantID)
			applying.Go(func() {
				var limited interface{ Limited() bool }
				switch _, err := s.Apply(t.Context(), e, sellers()); {
				case errors.As(err, &limited) && limited.Limited():
					refused[tenantID].Add(1)
				case err != nil:
					t.Error(err)
				}
			})
		}
	}
	whileHeld(t, pool, func() {
		const most = 1 + eventstore.MaxWaiting
		want := func(inTurn, demo, other, third int64) {
			t.Helper()
			got := func() []int64 {
				return []int64{int64(s.InTurn()), refused["demo"].Load(), refused["other"].Load(), refused["third"].Load(), int64(held(t, pool))}
			}
			wanted := []int64{inTurn, demo, other, third, 1}
			until(t, func() bool { return cmp.Equal(wanted, got()) }, func() string { return cmp.Diff(wanted, got()) })
		}
		begin("demo", 1)
		want(1, 0, 0, 0)
		begin("demo", 29)
		want(most, 30-most, 0, 0)
		begin("other", 1) // in place of one of the crowd that has most
		want(most, 31-most, 0, 0)
		begin("other", 9) // up to as many as the first one has, or one less
		want(most, 34-most, 6, 0)
		begin("third", 9)
		want(most, 36-most, 7, 6)
	})
	applying.Wait()
	if n := s.InTurn(); n != 0 {
		t.Errorf("%d events are in turn when all are done", n)
	}
	apply(t, s, of("demo")) // comes again, and has room
}

// TestAnEventForNoUserLeavesACrowdACrowd has a crowd whose event is for no user, such as an undo: its next events still go alone.
func TestAnEventForNoUserLeavesACrowdACrowd(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	addCrowd(t, pool, "demo", enough)
	apply(t, s, paid(t))
	if _, err := s.Apply(t.Context(), paid(t), user.Audience{}); err != nil {
		t.Fatal(err)
	}
	var applying sync.WaitGroup
	defer applying.Wait()
	whileHeld(t, pool, func() {
		for range 3 {
			e := paid(t)
			applying.Go(func() { apply(t, s, e) })
		}
		until(t, func() bool { return s.InTurn() == 3 && held(t, pool) == 1 }, func() string {
			return fmt.Sprintf("%d events of the crowd are in turn, want 3", s.InTurn())
		})
	})
}
