package outbox

import (
	"context"
	"slices"
	"sync"
	"time"
)

// floor is a row up to which all rows are sent, so that a look does not have to begin at the first row. Without it a
// look walks over the index entries of all rows that were sent since the server's oldest transaction began, because
// these cannot be removed while it runs. A report of half an hour would slow the relay down for half an hour.
//
// Ids are assigned in order, but become visible in the order of commits. So a row becomes the floor once every
// transaction has ended that had a write lock on the outbox when the row was the newest: such a transaction may have a
// lower id. Transactions are found by their locks, not by their age, so an idle transaction that wrote other tables is
// not waited for.
//
// An unsent row below the floor can only come from a manual UPDATE. The looks that begin at the first row find it.
type floor struct {
	mu      sync.Mutex
	at      int64    // all rows up to this one are sent; 0: not known
	newest  int64    // this may be the next floor, once
	writers []string // these transactions have ended
	ended   bool     // they had, before the last look at the rows
	taken   bool     // there are newer rows that are sent
	looked  time.Time
	whole   time.Time // the last look from the first row on
	start   string    // the tenant that a shared batch begins with
}

const (
	raiseEvery = 250 * time.Millisecond // while events are taken
	raiseIdle  = 5 * time.Second        // other relays may have taken some
	wholeEvery = 10 * time.Second
)

// begin returns the floor, or false if a look at all rows is due.
func (f *floor) begin(now time.Time) (int64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.whole) < wholeEvery {
		return f.at, true
	}
	f.whole = now
	return 0, false
}

// tenant returns the tenant that the next shared batch begins with.
func (f *floor) tenant() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.start
}

// took records that a batch was taken. The next shared one begins with the tenant.
func (f *floor) took(tenant string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.start, f.taken = tenant, true
}

// due returns the rows among which to look for an unsent one, and false if it is too early to look.
func (f *floor) due(now time.Time) (after, upTo int64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if age := now.Sub(f.looked); age < raiseEvery || age < raiseIdle && !f.taken {
		return 0, 0, false
	}
	f.looked = now
	return f.at, f.newest, true
}

// raise records the result of a look at the rows after the floor: the first unsent row up to newest (0 without one),
// the newest row, and the transactions that may write.
func (f *floor) raise(after, upTo, unsent, newest int64, writers []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at != after || f.newest != upTo {
		return // another look came first
	}
	if !f.ended {
		f.ended = !slices.ContainsFunc(f.writers, func(w string) bool { return slices.Contains(writers, w) })
		return // a row that one of them has just committed may be missing in this look
	}
	if f.at = f.newest; unsent > 0 {
		f.at = unsent - 1
	}
	f.taken = f.at < newest
	f.newest, f.writers, f.ended = newest, writers, false
}

// rowsAndWriters reads the first unsent row after $1 and up to $2, the newest row, and after these (because the rows
// are from the statement's start) the transactions that may write.
const rowsAndWriters = `
SELECT coalesce((SELECT id FROM outbox WHERE id > $1 AND id <= $2 AND sent_at IS NULL ORDER BY id LIMIT 1), 0),
    coalesce((SELECT id FROM outbox ORDER BY id DESC LIMIT 1), 0),
    ARRAY(SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock'
        AND relation = 'outbox'::regclass AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`

// raiseFloor raises the floor from time to time.
func (o *Outbox) raiseFloor(ctx context.Context) error {
	after, upTo, ok := o.floor.due(time.Now())
	if !ok {
		return nil
	}
	var unsent, newest int64
	var writers []string
	if err := o.pool.QueryRow(ctx, rowsAndWriters, after, upTo).Scan(&unsent, &newest, &writers); err != nil {
		return err
	}
	o.floor.raise(after, upTo, unsent, newest, writers)
	return nil
}
