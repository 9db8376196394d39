package feed

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"orderbell/internal/audit"
	"orderbell/internal/feed/message"
)

// Presence returns what Redis holds of each event, in two round trips for each server.
func (f *Feed) Presence(ctx context.Context, events []audit.Key) ([]audit.Presence, error) {
	found := make([]audit.Presence, len(events))
	marks := make([]*redis.StringCmd, len(events))
	p := f.client.Pipeline()
	for i, e := range events {
		marks[i] = p.Get(ctx, markKey(e.TenantID, e.EventID))
	}
	if _, err := p.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, wrap("look events up", err)
	}
	entries := make([]*redis.XMessageSliceCmd, len(events))
	p = f.client.Pipeline()
	for i, e := range events {
		value, err := marks[i].Result()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return nil, wrap("look events up", err)
		}
		found[i].Marked = true
		// A malformed mark counts as one whose entry is missing.
		found[i].At, _ = message.ParsePosition(value)
		entries[i] = p.XRange(ctx, streamKey(e.TenantID), found[i].At.String(), found[i].At.String())
	}
	if p.Len() == 0 {
		return found, nil
	}
	if _, err := p.Exec(ctx); err != nil {
		return nil, wrap("read stream", err)
	}
	for i, entry := range entries {
		if entry == nil {
			continue
		}
		for _, m := range entry.Val() {
			published := fromStream(m)
			found[i].InStream = published.Err == nil && published.Message.ID == events[i].EventID
		}
	}
	return found, nil
}

// Oldest returns the place of the first entry that the tenant's stream still has, or false if it has none.
func (f *Feed) Oldest(ctx context.Context, tenantID string) (message.Position, bool, error) {
	entries, err := f.client.XRangeN(ctx, streamKey(tenantID), "-", "+", 1).Result()
	if err != nil {
		return message.Position{}, false, wrap("read stream", err)
	}
	if len(entries) == 0 {
		return message.Position{}, false, nil
	}
	at, ok := message.ParsePosition(entries[0].ID)
	return at, ok, nil
}
