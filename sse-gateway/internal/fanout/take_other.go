//go:build !linux

package fanout

import (
	"errors"
	"net"
)

// CanTake says whether this system's connections can be taken over.
const CanTake = false

type worker struct{}

func (p *Pool) start() error { return nil }

// Take fails: every connection is served by a goroutine here.
func (p *Pool) Take(net.Conn, []byte, Subscriber) error {
	return errors.New("connections cannot be taken over on this system")
}
