package fanout

import (
	"math"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// takenBytes is the memory of an open stream besides its user's name: the client, and its entries in the worker's lists
// and in the counts of its tenant and user.
const takenBytes = int64(unsafe.Sizeof(client{})) + 256

// stall is a client whose socket was full at some time.
type stall struct {
	c   *client
	gen int32
	at  int64 // the value of client.full then
}

// over reports whether the client has read since, or has left.
func (s stall) over() bool { return s.c.closed || s.c.gen != s.gen || s.c.full != s.at }

// await makes c wait for room in its socket. Until then its frames use kernel memory, which counts for the container
// too.
func (w *worker) await(c *client) {
	c.full = time.Now().UnixMilli()
	w.pool.Counts.Stalls.Add(1)
	if queued, err := unix.IoctlGetInt(int(c.fd), unix.TIOCOUTQ); err == nil {
		c.unsent = int32(min(queued, math.MaxInt32)) //nolint:gosec // at most that
		w.pool.memory.Unsent.Add(int64(c.unsent))
	}
	w.note(stall{c: c, gen: c.gen, at: c.full})
	if err := w.poll.awaitRoom(c.fd, c.gen); err != nil {
		w.close(c, Gone)
	}
}

// note adds to the list of stalls, and removes finished ones once they are the majority.
func (w *worker) note(s stall) {
	if len(w.stalled) == cap(w.stalled) {
		kept := w.stalled[:0]
		for _, old := range w.stalled {
			if !old.over() {
				kept = append(kept, old)
			}
		}
		clear(w.stalled[len(kept):])
		w.stalled = kept
	}
	w.stalled = append(w.stalled, s)
}

// shed ends streams of clients that do not read while they hold too much memory. It must not run while clients are
// visited, because it closes other clients.
func (w *worker) shed() {
	for w.pool.memory.TooMuchUnsent() && w.closeLongestStalled() {
	}
}

// closeLongestStalled ends the stream of the client that has not read for longest. It returns false if all read.
func (w *worker) closeLongestStalled() bool {
	for len(w.stalled) > 0 {
		oldest := w.stalled[0]
		w.stalled[0] = stall{}
		w.stalled = w.stalled[1:]
		if !oldest.over() {
			w.close(oldest.c, Stalled)
			return true
		}
	}
	return false
}

// resume records that a socket has room again, or is closed.
func (w *worker) resume(c *client) {
	w.pool.memory.Unsent.Add(-int64(c.unsent))
	c.full, c.unsent = 0, 0
}
