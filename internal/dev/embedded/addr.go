package embedded

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports that FreePort hands out. Linux, macOS and Windows take the local ports of outgoing connections from 32768 on, and
// Kubernetes the ports of its nodes from 30000 on: below that only a server takes a port.
const (
	firstPort = 20000
	ports     = 10000
	portTries = 100
)

// FreePort returns a port of 127.0.0.1 that nothing listens on now, and that no outgoing connection gets. It is chosen at
// random: another program is unlikely to ask for the same one before its user listens there.
func FreePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	var err error
	for range portTries {
		port := firstPort + rand.IntN(ports)
		var listener net.Listener
		if listener, err = lc.Listen(ctx, "tcp", loopback(port)); err != nil {
			continue
		}
		if err = listener.Close(); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("find a free port from %d on: %w", firstPort, err)
}

// FreeAddr returns the address, host:port, of a [FreePort].
func FreeAddr(ctx context.Context) (string, error) {
	port, err := FreePort(ctx)
	if err != nil {
		return "", err
	}
	return loopback(port), nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
