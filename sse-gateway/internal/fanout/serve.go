package fanout

import (
	"context"
	"net/http"
	"sync"
	"time"

	"orderbell/sse-gateway/internal/frame"
	"orderbell/sse-gateway/internal/tenantlog"
)

// Serve writes to a subscriber through w until its connection ends, and returns why. The caller has sent the headers
// and must not complete the response.
func (p *Pool) Serve(ctx context.Context, w http.ResponseWriter, s Subscriber) Reason {
	p.served.Add(1)
	defer p.served.Done()
	p.joined()
	p.memory.Streams.Add(servedBytes)
	defer p.memory.Streams.Add(-servedBytes)
	v := &served{pool: p, out: w, control: http.NewResponseController(w), sub: s, revoked: make(chan struct{})}
	v.end = sync.OnceFunc(func() { close(v.revoked) })
	p.mu.Lock()
	p.serving[v] = struct{}{}
	p.mu.Unlock()
	p.recheck(s.Who)
	why := v.run(ctx)
	p.mu.Lock()
	delete(p.serving, v)
	p.mu.Unlock()
	if why.comesBack() {
		_ = v.write(goodbye())
	}
	p.left(s.Log, s.Who.UserID, why)
	return why
}

// servedBytes is the memory of a stream with its own goroutine: two stacks, net/http's buffers and timers, and one
// batch of frames.
const servedBytes = 32 << 10

type served struct {
	pool    *Pool
	out     http.ResponseWriter
	control *http.ResponseController
	sub     Subscriber
	buf     []byte
	revoked chan struct{}
	end     func() // closes revoked
}

func (v *served) run(ctx context.Context) Reason {
	grown := make(signal, 1)
	v.sub.Log.Watch(grown)
	defer v.sub.Log.Unwatch(grown)
	wrote := v.sub.Log.Attend()
	defer func() { v.sub.Log.Leave(wrote) }()
	cfg := v.pool.cfg
	end, why := v.pool.ends(v.sub, time.Now())
	over := time.NewTimer(time.Until(end))
	defer over.Stop()
	var notice <-chan time.Time
	if why == Expired {
		timer := time.NewTimer(time.Until(end) - cfg.TokenNotice.Duration())
		defer timer.Stop()
		notice = timer.C
	}
	heartbeat := time.NewTicker(v.sub.Heartbeat)
	defer heartbeat.Stop()
	drain, drained := v.pool.drain, (<-chan time.Time)(nil)
	if err := v.write(v.sub.Head); err != nil {
		return Gone
	}
	for {
		if why, ok := v.catchUp(); !ok {
			return why
		}
		if v.sub.Cursor > wrote {
			v.sub.Log.Wrote(wrote, v.sub.Cursor)
			wrote = v.sub.Cursor
		}
		var err error
		select {
		case <-grown:
		case <-heartbeat.C:
			err = v.write([]byte(frame.Heartbeat))
		case <-notice:
			err = v.write(expiring(v.sub.Log, v.sub.Cursor, end))
		case <-over.C:
			return why
		case <-drain:
			timer := time.NewTimer(Retry(0, cfg.Drain.Duration()+1))
			defer timer.Stop() //nolint:revive // drain is closed once
			drain, drained = nil, timer.C
		case <-drained:
			return Drained
		case <-v.pool.stop:
			return Drained
		case <-v.revoked:
			return Revoked
		case <-ctx.Done():
			return Gone
		}
		if err != nil {
			return Gone
		}
	}
}

// keptBytes is the largest buffer that an idle stream keeps.
const keptBytes = 4 << 10

func (v *served) catchUp() (Reason, bool) {
	for {
		b, ok := v.sub.Log.Batch(v.sub.Cursor, batchBytes)
		if !ok {
			return Slow, false
		}
		if b.Empty() {
			if cap(v.buf) > keptBytes {
				v.buf = nil
			}
			return 0, true
		}
		v.buf = b.Plain(v.buf[:0], v.sub.Who.UserID)
		if err := v.write(v.buf); err != nil {
			return Gone, false
		}
		v.sub.Cursor = b.To
		v.pool.Counts.Deliveries.Add(int64(b.Len()))
	}
}

func (v *served) write(frames []byte) error {
	if len(frames) == 0 {
		return nil // the batch has nothing for this client
	}
	_ = v.control.SetWriteDeadline(time.Now().Add(v.pool.cfg.WriteTimeout.Duration())) // some writers have none
	if _, err := v.out.Write(frames); err != nil {
		return err
	}
	return v.control.Flush()
}

// signal is a [tenantlog.Waker] for one goroutine.
type signal chan struct{}

// Wake implements [tenantlog.Waker].
func (s signal) Wake(*tenantlog.Log) {
	select {
	case s <- struct{}{}:
	default:
	}
}
