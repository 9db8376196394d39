package tenantlog

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/feed/message"
)

// Join returns where a client begins that has seen lastEventID last, "" if it is new. What the log does not know of the id,
// Redis may.
func (l *Logs) Join(ctx context.Context, log *Log, lastEventID string) Joined {
	if now := time.Now(); log.judge(now, l.proof.degraded(now), 0) { // who comes now must not take the feed for live
		l.catchUp(log)
	}
	joined := log.Join(lastEventID)
	if joined.Resync == "" {
		return joined
	}
	why := l.Locate(ctx, log, lastEventID)
	if joined = log.Join(lastEventID); joined.Resync != "" && why != "" { // it may have come in the meantime
		joined.Resync = why
	}
	return joined
}

// Locate says where a client stands whose last id the log does not have. If another instance was ahead of this one, it
// reads what is missing here and returns "": join again. Otherwise it returns the reason for a resync.
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
	// Many clients that come back at once have the same last id: one asks for all.
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

// newsAge is how long an event's id may be on its way from the order to this instance: retries of its delivery included.
const newsAge = 15 * time.Minute

// mayBeNews says whether an event may have reached another instance and not yet this one: it is no use to ask Redis for
// the ids of yesterday. A UUIDv7 tells its time (RFC 9562 §5.7); of others nothing is known.
func mayBeNews(id uuid.UUID) bool {
	if id.Version() != 7 {
		return true
	}
	seconds, nanos := id.Time().UnixTime()
	return time.Since(time.Unix(seconds, nanos)) < newsAge
}

// signal is a Waker with one thing to say.
type signal chan struct{}

// Wake implements [Waker].
func (s signal) Wake(*Log) {
	select {
	case s <- struct{}{}:
	default:
	}
}
