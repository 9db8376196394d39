// Package peer is the servers that the gateway is measured against, each set up as its authors would for many readers of
// one channel: r3labs/sse, Mercure's hub, Centrifuge's handler for Server-Sent Events, a hub by hand on net/http, and the
// floor, which is what the system calls alone cost.
//
// They publish in their own process, so that nothing but the delivery is measured; the gateway gets its events through
// Redis.
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
	Ready string `json:"ready"` // what the stream says once it is subscribed; "" if its headers do
}

// server is one of the peers.
type server struct {
	Stream
	handler http.Handler
	publish pace.Publish
}

// channel is what all clients read.
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
	return nil, fmt.Errorf("there is no peer %q, only %q", name, Names())
}

// Serve runs the peer called name. It says on out, in a line of JSON, how streams are opened, then publishes as each line
// of in tells ([pace.Plan]), and answers with a line when that is done. It returns at the end of in.
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
		return fmt.Errorf("say how to open a stream: %w", err)
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
