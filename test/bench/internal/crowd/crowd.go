// Package crowd is many clients of an event stream in one process. They use as little CPU as possible, to leave the machine to the
// measured server: one thread waits for all sockets and parses only what it must.
//
// A crowd reads one [Command] per line and answers each with one line, so that another process can run several crowds.
package crowd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"orderbell/test/bench/internal/message"
)

// Command is one step of a crowd. Exactly one field is set.
type Command struct {
	Open  *Open  `json:"open,omitempty"`
	Await *Await `json:"await,omitempty"`
}

// Open makes clients connect as fast as possible.
type Open struct {
	Clients  int      `json:"clients"`
	Address  [4]byte  `json:"address"` // of the server
	Port     int      `json:"port"`
	From     [4]byte  `json:"from"`     // the clients' own
	Requests []string `json:"requests"` // sent in turn
	Ready    string   `json:"ready"`    // the text after which a stream is open; "" means after its headers
	Events   int      `json:"events"`   // the largest number of messages
}

// Opened is the result of an [Open].
type Opened struct {
	Ready  int           `json:"ready"`
	Failed string        `json:"failed"` // the reason of one stream that is not ready, if any
	Took   time.Duration `json:"took"`
}

// Await waits until each client has all messages, or nothing has arrived for Patience.
type Await struct {
	Messages int           `json:"messages"`
	Patience time.Duration `json:"patience"`
}

// Received is the result of an [Await].
type Received struct {
	Deliveries int                    `json:"deliveries"` // each message of each client counted once
	Missing    int                    `json:"missing"`
	Repeated   int                    `json:"repeated"`
	Closed     int                    `json:"closed"` // streams that the server ended
	Last       time.Time              `json:"last"`   // when the last delivery arrived
	Latency    *hdrhistogram.Snapshot `json:"latency"`
}

// inFlight is the number of concurrent requests of a crowd: enough to keep a server busy, and fewer than its accept backlog.
const inFlight = 64

// LongestLatency is the upper bound of recorded latencies.
const LongestLatency = 10 * time.Minute

// NewHistogram returns a histogram of microseconds.
func NewHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, LongestLatency.Microseconds(), 3)
}

type crowd struct {
	poll    int
	byFD    []*client
	clients []*client
	buffer  []byte
	open    Open

	ready, waiting, closed int
	failed                 error
	got, repeated          int
	last                   time.Time // when the last delivery arrived
	now                    time.Time // of the read under way
	reading                *client
	latency                *hdrhistogram.Histogram
}

// Run runs the commands from in until it ends.
func Run(in io.Reader, out io.Writer) error {
	runtime.LockOSThread()
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	c := &crowd{poll: poll, buffer: make([]byte, 256<<10), latency: NewHistogram()}
	commands := make(chan Command)
	ended := make(chan error, 1)
	go func() { ended <- decode(in, commands) }()
	for {
		select {
		case err := <-ended:
			return err
		case command := <-commands:
			answer, err := c.obey(command)
			if err == nil {
				err = json.NewEncoder(out).Encode(answer)
			}
			if err != nil {
				return err
			}
		default:
			if err := c.turn(); err != nil {
				return err
			}
		}
	}
}

func decode(in io.Reader, commands chan<- Command) error {
	decoder := json.NewDecoder(in)
	for {
		var command Command
		if err := decoder.Decode(&command); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read command: %w", err)
		}
		commands <- command
	}
}

func (c *crowd) obey(command Command) (any, error) {
	switch {
	case command.Open != nil:
		return c.connect(*command.Open)
	case command.Await != nil:
		return c.await(*command.Await)
	}
	return nil, errors.New("a command is empty")
}

// connect opens the clients' streams.
func (c *crowd) connect(o Open) (Opened, error) {
	c.open = o
	began := time.Now()
	for len(c.clients) < o.Clients || c.waiting > 0 {
		for len(c.clients) < o.Clients && c.waiting < inFlight {
			if err := c.dial(); err != nil {
				return Opened{}, err
			}
		}
		if err := c.turn(); err != nil {
			return Opened{}, err
		}
		if time.Since(began) > time.Minute {
			c.failed = errors.New("some streams did not open within a minute")
			break
		}
	}
	opened := Opened{Ready: c.ready, Took: time.Since(began)}
	if c.failed != nil {
		opened.Failed = c.failed.Error()
	}
	return opened, nil
}

// await waits for messages.
func (c *crowd) await(a Await) (Received, error) {
	want := a.Messages * len(c.clients)
	for since := time.Now(); c.got < want; {
		if c.last.After(since) {
			since = c.last
		}
		if time.Since(since) > a.Patience {
			break
		}
		if err := c.turn(); err != nil {
			return Received{}, err
		}
	}
	return Received{
		Deliveries: c.got, Missing: want - c.got, Repeated: c.repeated, Closed: c.closed, Last: c.last,
		Latency: c.latency.Export(),
	}, nil
}

// turn reads the available data, or waits up to 10 ms for some.
func (c *crowd) turn() error {
	const moment = 10 // milliseconds
	var events [512]unix.EpollEvent
	n, err := unix.EpollWait(c.poll, events[:], moment)
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("epoll: %w", err)
	}
	for _, e := range events[:max(n, 0)] {
		if client := c.byFD[e.Fd]; client != nil {
			c.read(client)
		}
	}
	return nil
}

func (c *crowd) found(n int, at int64) {
	k := c.reading
	word, bit := n/64, uint64(1)<<(n%64)
	if word >= len(k.seen) || k.seen[word]&bit != 0 {
		c.repeated++
		return
	}
	k.seen[word] |= bit
	c.got++
	c.last = c.now
	took := max(1, min(c.now.UnixMicro()-at, LongestLatency.Microseconds()))
	_ = c.latency.RecordValue(took) // within its bounds
}

// scan finds messages in what a client has read, including the rest of the previous read.
func (c *crowd) scan(k *client, b []byte) {
	c.reading = k
	rest := message.Scan(b, c.found)
	k.rest = copy(k.kept[:], b[len(b)-rest:])
}
