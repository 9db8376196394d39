package embedded

import (
	"context"
	"fmt"
	"net"
)

// FreeAddr returns a loopback address, host:port, that nothing listens on now. Another program may take it before its
// user does; the kernel hands out ports in such a way that this is rare.
func FreeAddr(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return addr, nil
}
