package peer

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// floor takes over the connections and writes each message to each of them with one write(2), from one goroutine per core. It does
// nothing else, so no server that delivers each message separately can use less CPU.
type floor struct {
	shares []*share
	next   int
	mu     sync.Mutex
}

// share is the connections of one core.
type share struct {
	mu  sync.Mutex
	fds []int
}

func newFloor() (*server, error) {
	f := &floor{}
	for range runtime.GOMAXPROCS(0) {
		f.shares = append(f.shares, &share{})
	}
	return &server{handler: http.HandlerFunc(f.open), Stream: Stream{Path: "/"}, publish: f.publish}, nil
}

func (f *floor) open(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err) // HTTP/1.1 always can
	}
	defer conn.Close() //nolint:errcheck // the socket lives on under the new descriptor
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return
	}
	fd := -1
	if err := raw.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) }); err != nil || fd < 0 {
		return
	}
	const header = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	if write(fd, []byte(header)) != nil {
		_ = unix.Close(fd)
		return
	}
	f.mu.Lock()
	s := f.shares[f.next%len(f.shares)]
	f.next++
	f.mu.Unlock()
	s.mu.Lock()
	s.fds = append(s.fds, fd)
	s.mu.Unlock()
}

func (f *floor) publish(_ context.Context, n int, at time.Time) error {
	rendered := frame(n, at)
	chunk := fmt.Appendf(nil, "%x\r\n%s\r\n", len(rendered), rendered)
	var all sync.WaitGroup
	for _, s := range f.shares {
		all.Go(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, fd := range s.fds {
				_ = write(fd, chunk) // a closed connection is ignored
			}
		})
	}
	all.Wait()
	return nil
}

// write writes all of b, and waits where the socket is full.
func write(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		switch err {
		case nil:
			b = b[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1) //nolint:gosec // descriptors are small
		default:
			return err //nolint:wrapcheck // the error is not used
		}
	}
	return nil
}
