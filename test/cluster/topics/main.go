// Command topics makes the topics that the cluster test needs, as an operator of Kafka would.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"orderbell/internal/bus"
	"orderbell/internal/service"
)

// partitions are as many as the overlay kind has; the bridge's pace grows with them.
const partitions = 12

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	err := run(ctx)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "topics:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var cfg bus.Config
	if err := service.Load(&cfg); err != nil {
		return err
	}
	admin, err := bus.NewAdmin(cfg)
	if err != nil {
		return err
	}
	defer admin.Close()
	return admin.EnsureTopics(ctx, partitions, 1)
}
