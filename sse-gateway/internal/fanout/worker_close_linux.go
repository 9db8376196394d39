package fanout

import (
	"golang.org/x/sys/unix"

	"orderbell/sse-gateway/internal/frame"
)

// close ends a connection. If the client should reconnect and its socket has room, it is told when. The last chunk of
// the body is not sent, because some clients stop permanently after a complete body.
func (w *worker) close(c *client, why Reason) {
	if c.closed {
		return
	}
	c.closed = true
	if c.full == 0 && len(c.head) == 0 && why.comesBack() {
		_, _ = unix.Write(int(c.fd), frame.AppendChunk(nil, goodbye())) // the client reconnects without it too
	}
	g := w.groups[c.log]
	last := g.clients[len(g.clients)-1]
	g.clients[c.place], last.place = last, c.place
	g.clients[len(g.clients)-1] = nil
	if g.clients = g.clients[:len(g.clients)-1]; len(g.clients) == 0 {
		delete(w.groups, c.log)
		c.log.Unwatch(w)
		c.log.Leave(g.wrote)
	}
	spokes := w.wheel[c.slot]
	last = spokes[len(spokes)-1]
	spokes[c.spoke], last.spoke = last, c.spoke
	spokes[len(spokes)-1] = nil
	w.wheel[c.slot] = spokes[:len(spokes)-1]
	w.byFD[c.fd] = nil
	_ = unix.Close(int(c.fd))
	w.resume(c)
	w.pool.memory.Streams.Add(-takenBytes)
	w.pool.left(c.log, c.user, why)
}

// end closes the remaining clients when the pool is closed.
func (w *worker) end() {
	w.inbox.Lock()
	w.inbox.closed = true
	w.inbox.Unlock()
	w.takeInbox()
	for _, c := range w.byFD {
		if c != nil {
			w.close(c, Drained)
		}
	}
	_ = w.poll.file.Close() // ends watch
}
