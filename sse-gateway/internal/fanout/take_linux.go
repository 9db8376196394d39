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

// CanTake reports whether connections can be taken over on this system.
const CanTake = true

// spareFiles is the number of file descriptors besides streams: Redis, scrapes, refused requests.
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

// Take takes over a connection and writes header, which must declare a chunked body, and then the subscriber's frames.
// It returns at once; from then on the pool owns the connection.
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

// unsentBytes bounds the unsent bytes in the kernel of a client that does not read. It limits the kernel's memory and
// how late a full socket is noticed. A slow client must be able to receive it within SSE_WRITE_TIMEOUT_SECONDS; 4 KiB/s
// is enough.
const unsentBytes = 128 << 10

// tune sets the options of a stream's socket. It ignores sockets that are not TCP.
func (p *Pool) tune(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentBytes)
	// A peer that is gone acknowledges nothing, not even heartbeats. The kernel closes the connection after this time,
	// instead of after a quarter of an hour.
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(p.cfg.WriteTimeout.Duration().Milliseconds()))
}

// detach returns a duplicate descriptor of the connection's socket, which Go's poller does not know, and closes the
// original one.
func detach(conn net.Conn) (int, error) {
	defer conn.Close() //nolint:errcheck // the socket stays open under the new descriptor
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
