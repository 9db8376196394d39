package embedded_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"

	"orderbell/internal/dev/embedded"
)

// TestAPortIsHandedOutOnce asks for so many ports that about eight were handed out twice if chance alone decided.
func TestAPortIsHandedOutOnce(t *testing.T) {
	t.Parallel()
	handedOut := map[int]bool{}
	for range 400 {
		port, err := embedded.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		if handedOut[port] {
			t.Fatalf("port %d is handed out a second time", port)
		}
		handedOut[port] = true
	}
}

// TestAFreePortIsFreeWhileProgramsStart listens on free ports while the process starts others. Between fork and exec, those have copies of
// all its sockets.
func TestAFreePortIsFreeWhileProgramsStart(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var starts sync.WaitGroup
	for range 4 {
		starts.Go(func() {
			for ctx.Err() == nil {
				_ = exec.CommandContext(ctx, self, "-test.run=^$").Run()
			}
		})
	}
	defer starts.Wait()
	defer cancel()
	for range 500 {
		addr, err := embedded.FreeAddr()
		if err != nil {
			t.Fatal(err)
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
	}
}
