//go:build !linux

package fanout

import (
	"errors"
	"math"
	"net"

	"orderbell/internal/auth"
)

// CanTake reports whether connections can be taken over on this system.
const CanTake = false

// MaxStreams returns how many streams the process may hold: here it is not known.
func MaxStreams() int { return math.MaxInt32 }

type worker struct{}

func (p *Pool) revoke(auth.Revocation) {}

func (p *Pool) start() error { return nil }

// Take fails: every connection is served by a goroutine here.
func (p *Pool) Take(net.Conn, []byte, Subscriber) error {
	return errors.New("connections cannot be taken over on this system")
}
