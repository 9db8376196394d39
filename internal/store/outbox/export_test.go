package outbox

import (
	"context"
	"time"

	"orderbell/internal/store/database"
)

// On returns an outbox that knows the floor and uses another pool.
func (o *Outbox) On(pool *database.Pool) *Outbox {
	return &Outbox{pool: pool, floor: floor{at: o.Floor(), looked: time.Now(), whole: time.Now()}}
}

// RaiseFloor looks for a new floor, however early it is.
func (o *Outbox) RaiseFloor(ctx context.Context) error {
	o.floor.mu.Lock()
	o.floor.looked = time.Time{}
	o.floor.mu.Unlock()
	return o.raiseFloor(ctx)
}

// Floor returns the row up to which all rows are known to be sent.
func (o *Outbox) Floor() int64 {
	o.floor.mu.Lock()
	defer o.floor.mu.Unlock()
	return o.floor.at
}
