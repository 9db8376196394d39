package fanout

import (
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"orderbell/internal/auth"
	"orderbell/sse-gateway/internal/tenantlog"
)

// client is one connection that was taken over. Only its worker accesses it.
type client struct {
	log    *tenantlog.Log
	user   string
	head   []byte // to be written before the log's frames
	cursor uint64
	ends   int64 // Unix milliseconds
	every  int64 // interval of heartbeats, milliseconds
	beat   int64 // latest time of the next one, Unix milliseconds
	issued int64 // its token, Unix seconds
	check  int64 // when its user's roles were read, Unix milliseconds
	token  mark  // of its token's id
	full   int64 // since when the socket is full, Unix milliseconds; 0: it has room
	unsent int32 // bytes in the socket while full
	rest   int32 // written bytes of the frame at cursor; > 0 only while full
	fd     int32
	gen    int32  // distinguishes this connection from an earlier one with the same descriptor
	place  int32  // in its group
	slot   uint16 // in the wheel
	why    Reason // of its planned end
	warned bool
	soon   bool // in worker.soon
	closed bool
	spoke  int32 // its place in the wheel's slot
}

// group is the clients of one log.
type group struct {
	log     *tenantlog.Log
	clients []*client
	left    int  // number of clients that the current round has not reached; it runs from the last to the first
	queued  bool // a round is under way
	again   bool // the log has grown since the round began

	wrote uint64 // the frames before this number are written
	goal  uint64 // the frames before this number are written when the round under way is over; 0: it has not begun
}

// worker writes to its clients from one goroutine.
type worker struct {
	pool   *Pool
	poll   *poller
	groups map[*tenantlog.Log]*group
	byFD   []*client
	queue  []*group // rounds under way, one step each in turn, so that a large tenant does not hold up a small one
	gen    int32

	wheel    [wheelSlots][]*client // every client is seen once in a turn
	turned   time.Time             // when the wheel was turned last
	turn     int
	soon     []*client // clients that end before their next visit
	stalled  []stall   // longest first; some are over
	leaving  []*client // in the order of the drain
	drained  int       // how many of them it has closed
	drainAt  time.Time // when it began
	scratch  []byte
	batch    tenantlog.Batch
	batchOf  *tenantlog.Log
	delivery int64

	inbox struct {
		sync.Mutex
		added   []*client
		events  []unix.EpollEvent
		grown   []*tenantlog.Log // may list a log twice
		revoked []auth.Revocation
		closed  bool
	}
	bell chan struct{}
}

// Bounds of a worker's steps.
const (
	wheelSlots = 64
	stepSize   = 256 // clients of one log per step: about 2 ms of writes of single events

	stepFor   = 500 * time.Microsecond // the time of a step in which each write has many events
	stepCheck = 16                     // clients between two checks of the time
)

func newWorker(p *Pool) (*worker, error) {
	poll, err := newPoller()
	if err != nil {
		return nil, err
	}
	return &worker{pool: p, poll: poll, groups: map[*tenantlog.Log]*group{}, bell: make(chan struct{}, 1)}, nil
}

// Wake implements [tenantlog.Waker].
func (w *worker) Wake(log *tenantlog.Log) {
	w.inbox.Lock()
	if n := len(w.inbox.grown); n == 0 || w.inbox.grown[n-1] != log { // a burst is one log many times
		w.inbox.grown = append(w.inbox.grown, log)
	}
	w.inbox.Unlock()
	w.ring()
}

func (w *worker) ring() {
	select {
	case w.bell <- struct{}{}:
	default:
	}
}

func (w *worker) add(c *client) {
	w.inbox.Lock()
	closed := w.inbox.closed
	if !closed {
		w.inbox.added = append(w.inbox.added, c)
	}
	w.inbox.Unlock()
	if closed {
		_ = unix.Close(int(c.fd))
		w.pool.memory.Streams.Add(-takenBytes)
		w.pool.left(c.log, c.user, Drained)
		return
	}
	w.ring()
}

// watch passes the poller's events to the worker.
func (w *worker) watch() {
	events := make([]unix.EpollEvent, 256)
	for {
		n, err := w.poll.wait(events)
		if err != nil {
			return // closed
		}
		w.inbox.Lock()
		w.inbox.events = append(w.inbox.events, events[:n]...)
		w.inbox.Unlock()
		w.ring()
	}
}

func (w *worker) run() {
	interval := w.pool.turn() / wheelSlots
	tick := time.NewTicker(interval)
	defer tick.Stop()
	defer w.end()
	drain := w.pool.drain
	w.turned = time.Now()
	for {
		if len(w.queue) == 0 {
			select {
			case <-w.bell:
			case <-tick.C:
				w.tick(time.Now(), interval)
			case <-drain:
				drain = nil
				w.beginDrain()
				tick.Reset(min(interval, drainStep))
			case <-w.pool.stop:
				return
			}
		} else {
			select {
			case <-tick.C:
				w.tick(time.Now(), interval)
			case <-drain:
				drain = nil
				w.beginDrain()
				tick.Reset(min(interval, drainStep))
			case <-w.pool.stop:
				return
			default:
			}
		}
		w.takeInbox()
		if len(w.queue) > 0 {
			g := w.queue[0]
			w.queue = w.queue[1:]
			if w.step(g) {
				w.queue = append(w.queue, g)
			}
		}
		w.shed()
		if w.delivery > 0 {
			w.pool.Counts.Deliveries.Add(w.delivery)
			w.delivery = 0
		}
	}
}

func (w *worker) takeInbox() {
	w.inbox.Lock()
	added, events, grown, revoked := w.inbox.added, w.inbox.events, w.inbox.grown, w.inbox.revoked
	w.inbox.added, w.inbox.events, w.inbox.grown, w.inbox.revoked = nil, nil, nil, nil
	w.inbox.Unlock()
	for _, c := range added {
		w.welcome(c)
	}
	for _, e := range events {
		w.happened(e)
	}
	for _, log := range grown {
		if g := w.groups[log]; g != nil {
			w.enqueue(g)
		}
	}
	for _, r := range revoked { // this includes the clients that were added before the revocation
		w.revoke(r)
	}
}

func (w *worker) enqueue(g *group) {
	if g.queued {
		g.again = true
		return
	}
	g.queued, g.left = true, len(g.clients)
	w.queue = append(w.queue, g)
}

// step continues a group's round. It returns whether there is more to do.
func (w *worker) step(g *group) bool {
	oldest, end := g.log.Window()
	if g.goal == 0 {
		g.goal = end
	}
	began := time.Now()
	for n := range stepSize {
		if n%stepCheck == 0 && n > 0 && time.Since(began) > stepFor {
			break
		}
		if g.left > len(g.clients) {
			g.left = len(g.clients)
		}
		if g.left == 0 {
			break
		}
		g.left--
		c := g.clients[g.left]
		switch {
		case c.cursor < oldest:
			w.close(c, Slow)
		case c.full == 0:
			w.flush(c, end)
		}
	}
	w.batchOf = nil
	if g.left > 0 {
		return true
	}
	if len(g.clients) > 0 && g.goal > g.wrote {
		g.log.Wrote(g.wrote, g.goal)
		g.wrote = g.goal
	}
	g.goal = 0
	if g.again && len(g.clients) > 0 {
		g.again, g.left = false, len(g.clients)
		return true
	}
	g.again, g.queued = false, false
	return false
}

// flush writes the log from c's cursor up to end, or until its socket is full.
func (w *worker) flush(c *client, end uint64) {
	for c.full == 0 && !c.closed {
		if len(c.head) > 0 {
			n, ok := w.write(c, c.head)
			if !ok {
				return
			}
			if c.head = c.head[n:]; len(c.head) > 0 {
				w.await(c)
				return
			}
			c.head = nil
			continue
		}
		if c.cursor >= end {
			return
		}
		if w.batchOf != c.log || w.batch.From != c.cursor {
			b, ok := c.log.Batch(c.cursor, batchBytes)
			if !ok {
				w.close(c, Slow)
				return
			}
			w.batch, w.batchOf = b, c.log
		}
		var frames []byte
		frames, w.scratch = w.batch.Chunked(c.user, int(c.rest), w.scratch)
		n, ok := w.write(c, frames)
		if !ok {
			return
		}
		before := c.cursor
		if n == len(frames) {
			c.cursor, c.rest = w.batch.To, 0
		} else {
			var rest int
			c.cursor, rest = w.batch.Advance(c.user, int(c.rest), n)
			c.rest = int32(rest) //nolint:gosec // within a frame
			w.await(c)
		}
		w.delivery += int64(c.cursor - before) //nolint:gosec // a few frames
	}
}

// write writes once. It returns false if the connection is closed now.
func (w *worker) write(c *client, b []byte) (int, bool) {
	for len(b) > 0 { // otherwise the batch has nothing for this client
		n, err := unix.Write(int(c.fd), b)
		switch err {
		case nil:
			return n, true
		case unix.EAGAIN:
			return 0, true
		case unix.EINTR:
		default:
			w.close(c, Gone)
			return 0, false
		}
	}
	return 0, true
}

func (w *worker) welcome(c *client) {
	w.gen++
	c.gen = w.gen
	for int(c.fd) >= len(w.byFD) {
		w.byFD = append(w.byFD, make([]*client, max(64, len(w.byFD)/4))...)
	}
	w.byFD[c.fd] = c
	g := w.groups[c.log]
	if g == nil {
		g = &group{log: c.log}
		w.groups[c.log] = g
		c.log.Watch(w) // before the log's end is read, so that nothing is missed
		g.wrote = c.log.Attend()
	}
	c.place = int32(len(g.clients)) //nolint:gosec // descriptors are fewer
	g.clients = append(g.clients, c)
	slot := rand.N(wheelSlots)
	c.slot, c.spoke = uint16(slot), int32(len(w.wheel[slot])) //nolint:gosec // small
	w.wheel[slot] = append(w.wheel[slot], c)
	if err := w.poll.add(c.fd, c.gen); err != nil {
		w.close(c, Gone)
		return
	}
	_, end := c.log.Window()
	w.flush(c, end)
	w.batchOf = nil
	if c.closed {
		return
	}
	if !w.drainAt.IsZero() {
		w.close(c, Drained)
		return
	}
	now := time.Now().UnixMilli()
	c.beat = now + c.every
	w.plan(c, now, w.pool.turn().Milliseconds())
}

func (w *worker) happened(e unix.EpollEvent) {
	c := w.byFD[e.Fd]
	if c == nil || c.gen != e.Pad {
		return // of an earlier connection
	}
	if e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		w.close(c, Gone)
		return
	}
	if e.Events&unix.EPOLLOUT != 0 && c.full != 0 {
		w.resume(c)
		_, end := c.log.Window()
		w.flush(c, end)
		w.batchOf = nil
	}
}
