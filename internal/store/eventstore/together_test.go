package eventstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/event"
	"orderbell/internal/store/database"
	"orderbell/internal/store/eventstore"
)

// applyAtOnce applies events while the table of records is locked, until at least so many wait for their batch, and returns
// the result of each.
func applyAtOnce(t *testing.T, s *eventstore.Store, pool *database.Pool, waiting int, events []event.Event) ([]event.Receipt, []error) {
	t.Helper()
	receipts, errs := make([]event.Receipt, len(events)), make([]error, len(events))
	var applying sync.WaitGroup
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "LOCK TABLE event_records IN SHARE MODE"); err != nil {
			return err
		}
		for i, e := range events {
			applying.Go(func() { receipts[i], errs[i] = s.Apply(context.WithoutCancel(t.Context()), e, sellers()) })
		}
		for deadline := time.Now().Add(time.Minute); s.Gathered() < waiting; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				return errors.New("the events do not wait")
			}
		}
		return nil
	})
	applying.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return receipts, errs
}

// TestEventsTogether applies events with every kind of result at once: no event changes the result of another.
func TestEventsTogether(t *testing.T) {
	t.Parallel()
	s, pool := setup(t, staff()...)
	known, other := paid(t), paid(t)
	apply(t, s, known)
	apply(t, s, other)
	other.Data.TotalAmount++
	other = encode(t, other)
	bad, worse := paid(t), paid(t)
	bad.Source, worse.ID = "\x00", "not a UUID"                     // the server refuses the one, the driver does not send the other
	early := paidAt(t, time.Date(2021, 5, 5, 5, 5, 5, 0, time.UTC)) // its day has no partition yet
	for name, guests := range map[string][]event.Event{
		"new events":               nil,
		"one repeated":             {known},
		"one repeated at once":     {known, known, known},
		"one with other content":   {other},
		"one that is refused":      {bad},
		"one that cannot be sent":  {worse},
		"one of a day of long ago": {early},
		"all of them":              {known, other, bad, worse, early},
	} {
		t.Run(name, func(t *testing.T) {
			const n = 40 // two batches of 16 hold others up while one is refused at once
			events := append([]event.Event{}, guests...)
			for range n {
				events = append(events, paid(t))
			}
			receipts, errs := applyAtOnce(t, s, pool, n-eventstore.Batches*16, events)
			for i, e := range events {
				switch {
				case i >= len(guests):
					if errs[i] != nil || receipts[i].Outcome != event.Applied {
						t.Errorf("a new event: %+v, %v", receipts[i], errs[i])
					}
				case e.ID == known.ID:
					if errs[i] != nil || receipts[i].Outcome != event.Duplicate {
						t.Errorf("the repeated event: %+v, %v", receipts[i], errs[i])
					}
				case e.ID == other.ID:
					if !errors.Is(errs[i], event.ErrPayloadConflict) {
						t.Errorf("other content: %+v, %v", receipts[i], errs[i])
					}
				case e.ID == bad.ID, e.ID == worse.ID:
					if errs[i] == nil || errors.Is(errs[i], event.ErrPayloadConflict) {
						t.Errorf("an event that cannot be: %+v, %v", receipts[i], errs[i])
					}
				case e.ID == early.ID:
					if errs[i] != nil {
						t.Errorf("an event of long ago: %+v, %v", receipts[i], errs[i])
					}
				}
				if errs[i] != nil || receipts[i].Outcome == event.Duplicate {
					continue
				}
				if diff := cmp.Diff([]string{testUser(1), testUser(2)}, users(receipts[i])); diff != "" || receipts[i].DueMails != 2 {
					t.Errorf("%+v: %s", receipts[i], diff)
				}
			}
		})
	}
	const records = 8*40 + 3 // known, other, early
	assertCounts(t, pool, records, 2*records, 2*records)
}

// TestEventsShareATransaction counts transactions by the rows that have the same.
func TestEventsShareATransaction(t *testing.T) {
	t.Parallel()
	s, pool := setup(t, staff()...)
	events := make([]event.Event, 34)
	for i := range events {
		events[i] = paid(t)
	}
	applyAtOnce(t, s, pool, len(events)-eventstore.Batches, events)
	// Two of one event and two of 16. On a busy machine a batch may end before the leader of the next has run: then there are more, and
	// smaller ones.
	if n := count(t, pool, "SELECT count(DISTINCT xmin::text) FROM event_records"); n < 4 || n > 8 {
		t.Errorf("%d events took %d transactions, want 4 to 8", len(events), n)
	}
}
