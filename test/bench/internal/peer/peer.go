// Package peer has the servers with which the gateway is compared, each configured as its authors recommend for many readers of
// one channel: r3labs/sse, Mercure's hub, Centrifuge's handler for Server-Sent Events, a hand-written hub on net/http, and the
// floor, which has the cost of the system calls only.
//
// They publish in their own process, so that only the delivery is measured. The gateway gets its events through Redis.
package peer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"orderbell/test/bench/internal/pace"
)

// Stream says how clients open a stream.
type Stream struct {
	Port  int    `json:"port"`
	Path  string `json:"path"`
	Ready string `json:"ready"` // the text after which the stream is subscribed; "" means after its headers
}

// server is one of the peers.
type server struct {
	Stream
	handler http.Handler
	publish pace.Publish
}

// channel is the channel that all clients read.
const channel = "orders"

// Names returns the names of the peers, as tables show them.
func Names() []string { return []string{"floor", "net/http", "r3labs/sse", "Mercure", "Centrifuge"} }

func open(ctx context.Context, name string) (*server, error) {
	switch name {
	case "floor":
		return newFloor()
	case "net/http":
		return newHub(), nil
	case "r3labs/sse":
		return newR3labs(), nil
	case "Mercure":
		return newMercure(ctx)
	case "Centrifuge":
		return newCentrifuge()
	}
	return nil, fmt.Errorf("unknown peer %q, want one of %q", name, Names())
}

// Serve runs the peer called name. It writes a [Stream] to out as a line of JSON. Then it publishes a [pace.Plan] for each line of
// in, and writes a line when that is done. It returns at the end of in.
func Serve(name string, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := open(ctx, name)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.Port = listener.Addr().(*net.TCPAddr).Port
	failed := make(chan error, 1)
	go func() {
		failed <- (&http.Server{Handler: s.handler, ReadHeaderTimeout: time.Minute}).Serve(listener)
	}()
	answers := json.NewEncoder(out)
	if err := answers.Encode(s.Stream); err != nil {
		return fmt.Errorf("write how to open a stream: %w", err)
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var plan pace.Plan
		if err := json.Unmarshal(lines.Bytes(), &plan); err != nil {
			return fmt.Errorf("read plan: %w", err)
		}
		began, err := plan.Run(ctx, s.publish)
		if err != nil {
			return err
		}
		if err := answers.Encode(began); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	default:
		return errors.Join(lines.Err(), listener.Close())
	}
}
