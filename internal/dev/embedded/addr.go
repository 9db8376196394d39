package embedded

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// Ports that FreePort hands out. Linux, macOS and Windows take the local ports of outgoing connections from 32768 on, and
// Kubernetes the ports of its nodes from 30000 on: below that only a server takes a port. test/services/up takes its own
// from 10000 to 19999.
const (
	firstPort = 20000
	ports     = 10000
	portTries = 100
)

// reserved has the ports that this process has handed out. Each is held by a UDP socket of the same number, which the kernel gives
// to one process only and frees when the process ends. Nothing else here uses UDP.
var reserved struct { //nolint:gochecknoglobals // as the ports are: there is one set per machine
	sync.Mutex
	sockets []net.PacketConn
}

// FreePort returns a TCP port of 127.0.0.1 that nothing listens on, that no outgoing connection gets, and that no other call of
// FreePort on this machine returns while this process runs. So a program can listen on it later, and again after a crash.
func FreePort() (int, error) {
	var err error
	for range portTries {
		port := firstPort + rand.IntN(ports)
		if err = reserve(port); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("find a free port from %d on: %w", firstPort, err)
}

// reserve fails if the port is in use or handed out.
func reserve(port int) error {
	ctx := context.Background() // nothing here waits
	var lc net.ListenConfig
	socket, err := lc.ListenPacket(ctx, "udp4", loopback(port))
	if err != nil {
		return err //nolint:wrapcheck // it names the port
	}
	// Listening here and closing again is not safe: a process that is just being started has copies of all sockets for a moment.
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp4", loopback(port))
	if err == nil {
		_ = conn.Close()
		err = fmt.Errorf("a server listens on %s", loopback(port))
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		err = nil
	}
	if err != nil {
		_ = socket.Close()
		return err //nolint:wrapcheck // it names the port
	}
	reserved.Lock()
	defer reserved.Unlock()
	reserved.sockets = append(reserved.sockets, socket)
	return nil
}

// FreeAddr returns the address, host:port, of a [FreePort].
func FreeAddr() (string, error) {
	port, err := FreePort()
	if err != nil {
		return "", err
	}
	return loopback(port), nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
