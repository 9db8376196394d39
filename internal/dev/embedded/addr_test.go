package embedded_test

import (
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
