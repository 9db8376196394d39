package tenantlog

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/feed/message"
)

// Join returns the start position of a client with the last event id; "" for a new client. If the log does not have the
// id, it looks in Redis.
func (l *Logs) Join(ctx context.Context, log *Log, lastEventID string) Joined {
	if now := time.Now(); log.judge(now, l.proof.degraded(now), 0) { // a client that joins now must not treat the feed as live
		l.catchUp(log)
	}
	joined := log.Join(lastEventID)
	if joined.Resync == "" {
		return joined
	}
	why := l.Locate(ctx, log, lastEventID)
	if joined = log.Join(lastEventID); joined.Resync != "" && why != "" { // it may have arrived meanwhile
		joined.Resync = why
	}
	return joined
}

// Locate handles a client whose last id is not in the log. If another instance was ahead of this one, it reads the
// missing messages and returns "": the caller joins again. Otherwise it returns the reason for a resync.
func (l *Logs) Locate(ctx context.Context, log *Log, lastEventID string) Reason {
	id, _ := strings.CutSuffix(lastEventID, NotificationSuffix)
	if lastEventID == StartID {
		return TooOld
	}
	u, err := uuid.Parse(id)
	if err != nil || !isEventID(id) {
		return UnknownID
	}
	if !mayBeNews(u) {
		return TooOld
	}
	// Many clients that reconnect at once have the same last id, so they share one lookup.
	found, err, _ := l.lookups.Do(log.TenantID+" "+id, func() (any, error) {
		at, ok, err := l.stream.Lookup(ctx, log.TenantID, id)
		if err != nil || !ok {
			return nil, err
		}
		return at, nil
	})
	at, ok := found.(message.Position)
	if err != nil || !ok {
		return UnknownID
	}
	if log.Reached(at) {
		return TooOld
	}
	grown := make(signal, 1)
	log.Watch(grown)
	defer log.Unwatch(grown)
	l.catchUp(log)
	for !log.Reached(at) {
		select {
		case <-grown:
		case <-ctx.Done():
			return UnknownID
		}
	}
	return ""
}

// newsAge is the longest expected time from an order to this instance, including retries.
const newsAge = 15 * time.Minute

// mayBeNews reports whether an event may have reached another instance and not yet this one. Older ids are not looked
// up in Redis. A UUIDv7 has its time (RFC 9562 §5.7); for other ids the time is unknown.
func mayBeNews(id uuid.UUID) bool {
	if id.Version() != 7 {
		return true
	}
	seconds, nanos := id.Time().UnixTime()
	return time.Since(time.Unix(seconds, nanos)) < newsAge
}

// signal is a Waker for one goroutine.
type signal chan struct{}

// Wake implements [Waker].
func (s signal) Wake(*Log) {
	select {
	case s <- struct{}{}:
	default:
	}
}
