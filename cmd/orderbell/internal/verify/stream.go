package verify

import (
	"context"
	"maps"
	"slices"
	"time"

	"orderbell/internal/audit"
	"orderbell/internal/event"
	"orderbell/internal/feed/message"
)

const (
	// aging is the time before an event's expiry in Redis during which it is not expected there.
	aging = 10 * time.Second
	// skew is how far the clocks of PostgreSQL and Redis may be apart.
	skew = 2 * time.Second
)

// presence looks for the recent events of a page in Redis. An event must be there if it was applied later than the
// oldest entry of its tenant's stream. Older events are not expected: Redis may have lost its data, or the ring may
// have dropped them.
//
// If Redis cannot be read, only this check is skipped.
func (r *run) presence(ctx context.Context, page []audit.Record) {
	if r.Feed == nil || r.check(checkStream).Skipped != "" {
		return
	}
	var young []audit.Record
	var keys []audit.Key
	c := r.check(checkStream)
	for _, rec := range page {
		if rec.ReceivedAt.Before(r.clock().Add(aging-r.Options.ReplayTTL)) || rec.ReceivedAt.Before(r.Options.FeedSince) {
			continue
		}
		c.Looked++
		r.tenants[rec.TenantID] = true
		if !r.settled(rec.ReceivedAt) {
			c.OnTheWay++
			continue
		}
		young, keys = append(young, rec), append(keys, audit.Key{TenantID: rec.TenantID, EventID: rec.EventID})
	}
	for len(keys) > 0 {
		var found []audit.Presence
		if err := r.redis(ctx, &r.keys, func() (err error) {
			found, err = r.Feed.Presence(ctx, keys[:min(r.keys, len(keys))])
			return err
		}); err != nil {
			r.skip(checkStream, err)
			return
		}
		for i, p := range found {
			if p.InStream {
				continue
			}
			if err := r.absent(ctx, young[i], p); err != nil {
				r.skip(checkStream, err)
				return
			}
		}
		young, keys = young[len(found):], keys[len(found):]
	}
}

// absent judges an event that is not in its tenant's stream.
func (r *run) absent(ctx context.Context, rec audit.Record, p audit.Presence) error {
	// Read after the entries, because the ring may have dropped some meanwhile.
	var oldest message.Position
	var ok bool
	if err := r.redis(ctx, nil, func() (err error) { oldest, ok, err = r.Feed.Oldest(ctx, rec.TenantID); return err }); err != nil {
		return err
	}
	begins := time.UnixMilli(int64(oldest.Millis)) //nolint:gosec // milliseconds of a clock
	switch {
	case p.Marked && (!ok || p.At.Compare(oldest) >= 0):
		r.offend(checkStream, of(rec), "published, but entry %s of the stream is not it", p.At)
	case !p.Marked && ok && rec.ReceivedAt.After(begins.Add(skew)):
		r.offend(checkStream, of(rec), "recorded at %s, but not known as published", stamp(rec.ReceivedAt))
	}
	return nil
}

// streams reads the streams of tenants with recent events and finds entries that are duplicated or have no record.
func (r *run) streams(ctx context.Context, step func(int64)) error {
	if r.Feed == nil || r.check(checkStream).Skipped != "" {
		return nil
	}
	for _, tenant := range slices.Sorted(maps.Keys(r.tenants)) {
		seen := map[string]message.Position{} // the size of the ring
		for after := (message.Position{}); ; {
			var entries []message.Published
			if err := r.redis(ctx, &r.keys, func() (err error) {
				entries, _, err = r.Feed.Read(ctx, tenant, after, r.keys)
				return err
			}); err != nil {
				return err
			}
			if len(entries) == 0 {
				break
			}
			if err := r.entries(ctx, tenant, entries, seen); err != nil {
				return err
			}
			step(int64(len(entries)))
			after = entries[len(entries)-1].At
		}
	}
	return nil
}

func (r *run) entries(ctx context.Context, tenant string, entries []message.Published, seen map[string]message.Position) error {
	ids := map[string]string{} // of events in the window, the order
	for _, e := range entries {
		m := e.Message
		switch {
		case int64(e.At.Millis) < r.Options.FeedSince.UnixMilli(): //nolint:gosec // milliseconds of a clock
			continue
		case e.Err != nil:
			r.offend(checkStream, Offender{TenantID: tenant}, "entry %s: %v", e.At, e.Err)
			continue
		case !m.Event.Valid():
			continue // not an event of an order
		}
		data, err := event.ParseData(m.Data)
		if err != nil {
			r.offend(checkStream, Offender{EventID: m.ID, TenantID: tenant}, "entry %s: %v", e.At, err)
			continue
		}
		// An event that is delivered after its mark has expired is published again, as guarantees.md says.
		if before, twice := seen[m.ID]; twice && e.At.Millis-before.Millis < uint64(r.Options.ReplayTTL.Milliseconds()) { //nolint:gosec // more than 0
			r.offend(checkStream, Offender{EventID: m.ID, OrderID: data.OrderID, TenantID: tenant}, "entries %s and %s are both it", before, e.At)
		}
		seen[m.ID] = e.At
		if r.w.Has(data.Timestamp) {
			ids[m.ID] = data.OrderID
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var missing map[string]bool
	if err := r.database(ctx, func(int) (err error) {
		missing, err = r.Store.Unrecorded(ctx, slices.Sorted(maps.Keys(ids)))
		return err
	}); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(missing)) {
		if missing[id] {
			r.offend(checkStream, Offender{EventID: id, OrderID: ids[id], TenantID: tenant}, "in the stream, but there is no record of it")
		}
	}
	return nil
}
