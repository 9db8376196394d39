package crowd

import (
	"bytes"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"orderbell/test/bench/internal/message"
)

// client is one stream.
type client struct {
	fd    int32
	ready bool
	rest  int                   // how much of kept is in use
	kept  [message.Longest]byte // the end of what was read: a message may begin there
	body  chunks
	head  []byte // the bytes before the stream was ready; nil afterwards
	seen  []uint64
}

// dial opens a connection and sends its request. On loopback neither blocks.
func (c *crowd) dial() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	// The kernel chooses the port at connect, so that each of our addresses can use all ports for each server.
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: c.open.From}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: c.open.Address, Port: c.open.Port}); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	request := c.open.Requests[len(c.clients)%len(c.open.Requests)]
	if _, err := unix.Write(fd, []byte(request)); err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	k := &client{fd: int32(fd), seen: make([]uint64, (c.open.Events+63)/64)} //nolint:gosec // descriptors are small
	for fd >= len(c.byFD) {
		c.byFD = append(c.byFD, nil)
	}
	c.byFD[fd] = k
	c.clients = append(c.clients, k)
	c.waiting++
	if err := unix.EpollCtl(c.poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: k.fd}); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// read reads once.
func (c *crowd) read(k *client) {
	room := c.buffer[message.Longest:]
	n, err := unix.Read(int(k.fd), room)
	if err == unix.EAGAIN || err == unix.EINTR {
		return
	}
	if n <= 0 {
		c.lose(k, fmt.Errorf("the server ended a stream: %v", err)) //nolint:errorlint // err may be nil
		return
	}
	c.now = time.Now()
	content := room[:n]
	if k.ready {
		content = k.body.decode(content)
	} else {
		if content = c.greet(k, content); content == nil {
			return
		}
	}
	from := message.Longest - k.rest
	copy(c.buffer[from:], k.kept[:k.rest])
	copy(room, content) // content is already there, except after a greeting
	c.scan(k, c.buffer[from:message.Longest+len(content)])
}

// greet collects bytes until the stream is ready, and then returns the content after them.
func (c *crowd) greet(k *client, b []byte) []byte {
	k.head = append(k.head, b...)
	end := bytes.Index(k.head, []byte("\r\n\r\n"))
	if end < 0 {
		return nil
	}
	if !bytes.HasPrefix(k.head, []byte("HTTP/1.1 200 ")) {
		c.lose(k, fmt.Errorf("the server answers %q", k.head[:min(len(k.head), 200)]))
		return nil
	}
	k.body = chunks{plain: !bytes.Contains(bytes.ToLower(k.head[:end]), []byte("transfer-encoding: chunked"))}
	content := k.body.decode(bytes.Clone(k.head[end+4:]))
	if !bytes.Contains(content, []byte(c.open.Ready)) {
		return nil
	}
	k.head, k.ready = nil, true
	c.ready++
	c.waiting--
	return content
}

func (c *crowd) lose(k *client, why error) {
	if k.ready {
		c.closed++
	} else {
		c.waiting--
		c.failed = why
	}
	c.byFD[k.fd] = nil
	_ = unix.Close(int(k.fd))
}

// chunks undoes HTTP/1.1's chunked coding (RFC 9112 §7.1) piece by piece.
type chunks struct {
	plain bool // the body is not chunked
	part  part
	left  int // bytes of the chunk
}

type part int

const (
	size part = iota
	data
	end // the line end after the data
)

// decode returns the content in b, in b's own place.
func (c *chunks) decode(b []byte) []byte {
	if c.plain {
		return b
	}
	out := b[:0]
	for len(b) > 0 {
		if c.part == data {
			n := min(c.left, len(b))
			out = append(out, b[:n]...)
			b = b[n:]
			if c.left -= n; c.left == 0 {
				c.part = end
			}
			continue
		}
		digit := b[0]
		b = b[1:]
		switch {
		case digit == '\n' && c.part == end:
			c.part = size
		case digit == '\n' && c.left > 0:
			c.part = data
		case digit >= '0' && digit <= '9':
			c.left = c.left<<4 + int(digit-'0')
		case digit >= 'a' && digit <= 'f':
			c.left = c.left<<4 + int(digit-'a') + 10
		case digit >= 'A' && digit <= 'F':
			c.left = c.left<<4 + int(digit-'A') + 10
		}
	}
	return out
}
