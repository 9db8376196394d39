package eventstore

import (
	"context"
	_ "embed"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/event"
)

// Events that come while others are under way share a round trip and a transaction, and so one wait for the disk: a batch
// is what has come since the one before. A transaction of 16 takes as long as some seven of one; two at once keep the
// server busy while the other waits for its disk, and leave connections to mails and large audiences.
const (
	batches   = 2
	batchSize = 16
)

// application is one run of apply.sql.
type application struct {
	key  string // where the record goes in the index
	args []any
}

type appliedRow struct {
	Applied         bool
	UserIDs         []string
	NotificationIDs []string
	DueMails        int
}

type applied struct {
	row appliedRow
	err error
}

// errNotApplied is for an event whose batch was rolled back. It may be at fault or not, and is tried alone.
var errNotApplied = errors.New("the batch was rolled back")

// applyTogether applies events in one transaction: all of them or none. Every batch takes the index in the same order, so
// that two that hold the same events wait for each other and do not deadlock.
func (s *Store) applyTogether(ctx context.Context, items []application) []applied {
	results := make([]applied, len(items))
	if len(items) == 1 {
		results[0].row, results[0].err = s.applyAlone(ctx, items[0])
		return results
	}
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(items[a].key, items[b].key) })
	var batch pgx.Batch
	for _, i := range order {
		batch.Queue(s.applySQL, items[i].args...).Query(func(rows pgx.Rows) (err error) {
			results[i].row, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[appliedRow])
			return err
		})
	}
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil { // commits, or nothing happened
		for i := range results {
			results[i] = applied{err: errNotApplied}
		}
	}
	return results
}

func (s *Store) applyAlone(ctx context.Context, a application) (appliedRow, error) {
	rows, err := s.pool.Query(ctx, s.applySQL, a.args...)
	if err != nil {
		return appliedRow{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[appliedRow])
}

// crowds are the tenants whose last event had many recipients. Their events go alone: in a batch they would make
// their neighbours wait. It is safe for concurrent use.
type crowds struct {
	mu      sync.Mutex
	tenants map[string]struct{}
}

const (
	crowd     = 64   // recipients: some 5 ms of the server
	mostCrowd = 4096 // tenants that are remembered
)

func (c *crowds) has(tenantID string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, large := c.tenants[tenantID]
	return large
}

func (c *crowds) note(tenantID string, r event.Receipt) {
	large := max(len(r.Recipients), r.DueMails) > crowd
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !large:
		delete(c.tenants, tenantID)
	case len(c.tenants) >= mostCrowd:
		clear(c.tenants) // the next event of each finds it again
		fallthrough
	default:
		c.tenants[tenantID] = struct{}{}
	}
}
