package fanout

import (
	"errors"
	"fmt"
	"math"
	"net"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"orderbell/sse-gateway/internal/frame"
)

// CanTake says whether this system's connections can be taken over.
const CanTake = true

// spareFiles is what a process needs besides its streams: Redis, scrapes, requests that are refused.
const spareFiles = 256

// MaxStreams returns how many streams the process may hold by its limit of open files.
func MaxStreams() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxInt32
	}
	return int(min(limit.Cur, math.MaxInt32)) - spareFiles
}

// start starts the workers.
func (p *Pool) start() error {
	for range runtime.GOMAXPROCS(0) {
		w, err := newWorker(p)
		if err != nil {
			p.Close()
			return err
		}
		p.workers = append(p.workers, w)
		p.running.Go(w.run)
		p.running.Go(w.watch)
	}
	return nil
}

// Take takes a connection over and writes header, which says that the body is chunked, and then the subscriber's frames
// to it. It returns at once; from then on the connection is the pool's.
func (p *Pool) Take(conn net.Conn, header []byte, s Subscriber) error {
	fd, err := detach(conn)
	if err != nil {
		return err
	}
	p.tune(fd)
	end, why := p.ends(s, time.Now())
	c := &client{
		log: s.Log, user: s.Who.UserID, cursor: s.Cursor, fd: int32(fd), //nolint:gosec // descriptors are small
		head: frame.AppendChunk(header, s.Head), ends: end.UnixMilli(), why: why, every: s.Heartbeat.Milliseconds(),
		issued: s.Who.Issued.Unix(), check: s.Who.Checked.UnixMilli(), token: tokenMark(s.Who.TokenID),
	}
	p.joined()
	p.memory.Streams.Add(takenBytes)
	p.workers[p.next.Add(1)%uint32(len(p.workers))].add(c) //nolint:gosec // a few workers
	p.recheck(s.Who)
	return nil
}

// unsentBytes bounds what waits in the kernel for a client that does not read: its share of the kernel's memory, and how
// soon it shows as full. It must go out within SSE_WRITE_TIMEOUT_SECONDS, which a modem's 4 KiB/s still do.
const unsentBytes = 128 << 10

// tune sets what a stream's socket needs. A socket that is not TCP's does without.
func (p *Pool) tune(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentBytes)
	// A peer that vanished acknowledges nothing, heartbeats included: the kernel gives it up after this, not after its
	// usual quarter of an hour.
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(p.cfg.WriteTimeout.Duration().Milliseconds()))
}

// detach returns the connection's socket under a descriptor of our own, which Go's poller does not know, and closes the
// connection's.
func detach(conn net.Conn) (int, error) {
	defer conn.Close() //nolint:errcheck // the socket lives on under the new descriptor
	sys, ok := conn.(syscall.Conn)
	if !ok {
		return 0, fmt.Errorf("a %T cannot be taken over", conn)
	}
	raw, err := sys.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("take connection over: %w", err)
	}
	var fd int
	var dupErr error
	err = raw.Control(func(old uintptr) { fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	if err := errors.Join(err, dupErr); err != nil {
		return 0, fmt.Errorf("take connection over: %w", err)
	}
	return fd, nil
}
