package tenantlog

import (
	"sync/atomic"
	"time"

	"orderbell/internal/backoff"
)

// Counts are the counters of the logs.
type Counts struct {
	HolesRead   atomic.Int64 // reads of the stream that found missed messages
	EntriesRead atomic.Int64 // missed messages that they found
	StreamsLost atomic.Int64 // parts of a stream that Redis lost
	EarlyFrames atomic.Int64 // frames of orders whose events had not arrived
}

// Waits before a failed read is repeated.
const (
	retryMin = 50 * time.Millisecond
	retryMax = 2 * time.Second
)

// catchUp reads missing messages in the background. A call during the read makes it read once more.
func (l *Logs) catchUp(log *Log) {
	log.mu.Lock()
	busy := log.catching
	log.catching, log.again = true, busy
	if !busy {
		log.missing = time.Now()
	}
	log.mu.Unlock()
	if busy {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return
	}
	l.readers.Go(func() { l.read(log) })
}

func (l *Logs) read(log *Log) {
	again := backoff.New(retryMin, retryMax)
	for {
		ok, err := l.readOnce(log)
		if ok && log.stopCatching() {
			return
		}
		if err == nil {
			again.Reset()
			log.progress()
			continue
		}
		if l.ctx.Err() != nil || l.find(log.TenantID) != log {
			log.stopCatching()
			return
		}
		l.log.WarnContext(l.ctx, "tenant's stream not read", "tenant_id", log.TenantID, "err", err)
		again.Wait(l.ctx)
	}
}

// progress records that the stream could be read.
func (l *Log) progress() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.missing = time.Now()
}

// stopCatching ends a catch-up unless another read was requested. It returns whether it is over.
func (l *Log) stopCatching() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.again {
		l.again = false
		return false
	}
	l.catching = false
	return true
}

// readOnce reads one page. It returns whether the log has caught up.
func (l *Logs) readOnce(log *Log) (bool, error) {
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-l.ctx.Done():
		return false, l.ctx.Err()
	}
	select {
	case <-log.warmed:
	default:
		entries, tail, err := l.stream.Recent(l.ctx, log.TenantID, l.cfg.MaxEvents)
		if err != nil {
			return false, err
		}
		log.heat(entries, tail)
		return false, nil // read once more: messages arrived meanwhile
	}
	r := log.beginReading()
	entries, tail, err := l.stream.Read(l.ctx, log.TenantID, r.from, pageSize)
	if err != nil {
		return false, err
	}
	added, lost, caughtUp := log.fill(r, entries, tail, len(entries) < pageSize)
	if added > 0 {
		l.Counts.HolesRead.Add(1)
		l.Counts.EntriesRead.Add(int64(added))
	}
	if lost {
		l.Counts.StreamsLost.Add(1)
		l.log.WarnContext(l.ctx, "a part of a tenant's stream is lost", "tenant_id", log.TenantID)
	}
	return caughtUp, nil
}
