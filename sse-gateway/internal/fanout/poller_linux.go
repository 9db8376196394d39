package fanout

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// poller is an epoll instance that waits inside Go's own poller: an epoll descriptor is readable when it has events, so
// waiting blocks a goroutine and no thread.
type poller struct {
	fd   int
	file *os.File
	raw  syscall.RawConn
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	file := os.NewFile(uintptr(fd), "epoll")
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &poller{fd: fd, file: file, raw: raw}, nil
}

// wait fills events with at least one, or fails once the poller is closed.
func (p *poller) wait(events []unix.EpollEvent) (n int, err error) {
	failed := p.raw.Read(func(fd uintptr) bool {
		for {
			n, err = unix.EpollWait(int(fd), events, 0)
			if err != unix.EINTR {
				return n > 0 || err != nil
			}
		}
	})
	if failed != nil {
		return 0, failed
	}
	return n, err
}

// Watched events, edge-triggered. A client that shuts down its sending side has left.
const (
	watchGone = unix.EPOLLRDHUP | unix.EPOLLET
	watchRoom = unix.EPOLLOUT | watchGone
)

func (p *poller) add(fd int32, generation int32) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, int(fd), &unix.EpollEvent{Events: watchGone, Fd: fd, Pad: generation})
}

// awaitRoom makes the poller report when the socket has room, at once if it has already.
func (p *poller) awaitRoom(fd int32, generation int32) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, int(fd), &unix.EpollEvent{Events: watchRoom, Fd: fd, Pad: generation})
}
