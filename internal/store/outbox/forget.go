package outbox

import (
	"context"
	"time"

	"orderbell/internal/store/database"
)

// forgetSent removes the rows that were sent longest ago, from $3 on; concurrent calls remove different rows. It
// returns how many, and when the last of them was sent.
const forgetSent = `
WITH gone AS (
    DELETE FROM outbox WHERE id IN (
        SELECT id FROM outbox WHERE sent_at < $1 AND sent_at >= $3 ORDER BY sent_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    RETURNING sent_at
)
SELECT count(*), coalesce(max(sent_at), $3) FROM gone`

// ForgetSent removes at most limit events that were sent before the given time, and returns how many.
//
// A call continues where the previous one ended if that one reached its limit: while an old transaction runs, the index
// entries of removed rows stay, and each call would walk over all of them.
func (o *Outbox) ForgetSent(ctx context.Context, before time.Time, limit int) (n int64, err error) {
	o.forgetting.Lock() // calls of one program run one at a time
	defer o.forgetting.Unlock()
	from := o.forgotten
	err = o.pool.QueryRow(ctx, forgetSent, before, limit, from).Scan(&n, &from)
	if err != nil {
		return 0, database.Wrap("forget sent events", err)
	}
	if o.forgotten = from; n < int64(limit) {
		o.forgotten = time.Time{}
	}
	return n, nil
}
