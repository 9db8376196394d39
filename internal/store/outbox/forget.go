package outbox

import (
	"context"
	"time"

	"orderbell/internal/store/database"
)

// forgetSent removes the rows that were sent longest ago, from $3 on; another one at work gets others. It returns how many,
// and when the last of them was sent.
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
// A call goes on where the one before ended, as long as that one reached its limit: while an old transaction lives, the
// index entries of the rows that are gone stay, and each call would walk over all of them.
func (o *Outbox) ForgetSent(ctx context.Context, before time.Time, limit int) (n int64, err error) {
	o.forgetting.Lock() // calls of one program take turns
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
