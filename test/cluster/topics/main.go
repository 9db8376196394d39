// Command topics creates the topics of the cluster test, as an operator of Kafka would.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"orderbell/internal/bus"
	"orderbell/internal/service"
)

// partitions is the number that the overlay kind has. The throughput of kafka-bridge grows with it.
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
