package fanout

import (
	"math/rand/v2"
	"time"

	"orderbell/sse-gateway/internal/frame"
)

// drainStep is the interval in which a drain closes the next clients.
const drainStep = 20 * time.Millisecond

// turn is the time in which the wheel visits every client.
func (p *Pool) turn() time.Duration { return p.cfg.Beat(ShortestHeartbeat) }

// tick turns the wheel by the slots that are due, ends clients that are due, and continues a drain.
func (w *worker) tick(now time.Time, interval time.Duration) {
	millis := now.UnixMilli()
	for range wheelSlots { // after a long pause one turn is enough
		if now.Sub(w.turned) < interval {
			break
		}
		w.turned = w.turned.Add(interval)
		w.turn = (w.turn + 1) % wheelSlots
		w.visit(w.turn, millis)
	}
	if now.Sub(w.turned) >= interval {
		w.turned = now
	}
	w.endSoon(millis)
	w.goOnDraining(now)
}

// visit handles every client of a slot: it sends a heartbeat, announces a near end, or ends a client that does not
// read.
func (w *worker) visit(slot int, now int64) {
	beat := frame.AppendChunk(nil, []byte(frame.Heartbeat))
	turn := w.pool.turn().Milliseconds()
	timeout := w.pool.cfg.WriteTimeout.Duration().Milliseconds()
	spokes := w.wheel[slot]
	for i := len(spokes) - 1; i >= 0; i-- { // from the last, since closing moves the last one
		c := spokes[i]
		if c.full != 0 {
			if now-c.full > timeout {
				w.close(c, Stalled)
			}
			continue
		}
		w.plan(c, now, turn)
		if !c.closed && c.full == 0 && now+turn > c.beat { // the next visit would be too late
			c.beat = now + c.every
			w.say(c, beat)
		}
	}
}

// plan announces and schedules c's end if it is before the next visit.
func (w *worker) plan(c *client, now, turn int64) {
	left := c.ends - now
	if c.why == Expired && !c.warned && left <= w.pool.cfg.TokenNotice.Duration().Milliseconds()+turn && c.full == 0 {
		c.warned = true
		w.say(c, frame.AppendChunk(nil, expiring(c.log, c.cursor, time.UnixMilli(c.ends))))
	}
	if left <= turn && !c.soon && !c.closed {
		c.soon = true
		w.soon = append(w.soon, c)
	}
}

// say writes a chunk that does not come from the log.
func (w *worker) say(c *client, chunk []byte) {
	c.head = chunk
	w.flush(c, c.cursor) // a later round writes the log
}

func (w *worker) endSoon(now int64) {
	kept := w.soon[:0]
	for _, c := range w.soon {
		switch {
		case c.closed:
		case c.ends <= now:
			w.close(c, c.why)
		default:
			kept = append(kept, c)
		}
	}
	clear(w.soon[len(kept):])
	w.soon = kept
}

// beginDrain puts the clients into random order, so that clients of one tenant do not reconnect together.
func (w *worker) beginDrain() {
	w.drainAt = time.Now()
	for _, c := range w.byFD {
		if c != nil {
			w.leaving = append(w.leaving, c)
		}
	}
	rand.Shuffle(len(w.leaving), func(i, j int) { w.leaving[i], w.leaving[j] = w.leaving[j], w.leaving[i] })
	w.goOnDraining(w.drainAt)
}

func (w *worker) goOnDraining(now time.Time) {
	if w.drainAt.IsZero() {
		return
	}
	due := len(w.leaving)
	if window := w.pool.cfg.Drain.Duration(); window > 0 {
		due = min(due, int(float64(len(w.leaving))*float64(now.Sub(w.drainAt))/float64(window)))
	}
	for ; w.drained < due; w.drained++ {
		w.close(w.leaving[w.drained], Drained)
	}
}
