// Command bench compares the gateway with other servers of event streams, and the event path with its upper bounds, on one Linux
// machine.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"orderbell/test/bench/internal/crowd"
	"orderbell/test/bench/internal/events"
	"orderbell/test/bench/internal/peer"
	"orderbell/test/bench/internal/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is one mode of this program.
func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 2 && args[0] == "serve":
		return peer.Serve(args[1], os.Stdin, os.Stdout)
	case len(args) == 1 && args[0] == "crowd":
		return crowd.Run(os.Stdin, os.Stdout)
	case len(args) == 1 && args[0] == "serial":
		return events.Serial(ctx)
	case len(args) == 2 && args[0] == "watermill":
		return events.Watermill(ctx, args[1])
	case len(args) > 0 && args[0] == "events":
		return events.Main(ctx, args[1:], os.Stderr)
	case len(args) > 0 && args[0] == "growth":
		return events.Growth(ctx, args[1:], os.Stderr)
	case len(args) > 0 && args[0] == "memory":
		return report.Memory(ctx, args[1:], os.Stderr)
	case len(args) > 0 && args[0] == "soak":
		return report.Soak(ctx, args[1:], os.Stderr)
	}
	return report.Main(ctx, args, os.Stderr)
}
