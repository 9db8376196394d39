package outbox

import (
	"context"
	"time"

	"orderbell/internal/store/database"
)

// forgetSent removes the rows that were sent longest ago; who else is at it gets others.
const forgetSent = `
DELETE FROM outbox WHERE id IN (
    SELECT id FROM outbox WHERE sent_at < $1 ORDER BY sent_at LIMIT $2 FOR UPDATE SKIP LOCKED
)`

// ForgetSent removes at most limit events that were sent before the given time, and returns how many.
func (o *Outbox) ForgetSent(ctx context.Context, before time.Time, limit int) (int64, error) {
	tag, err := o.pool.Exec(ctx, forgetSent, before, limit)
	return tag.RowsAffected(), database.Wrap("forget sent events", err)
}
