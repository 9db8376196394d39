package main

import (
	"context"

	"orderbell/internal/auth"
	"orderbell/internal/bus"
	"orderbell/internal/service"
	"orderbell/kafka-bridge/internal/bridge"
)

// newBridge returns the bridge, which takes dead letters of the senders that the environment names.
func newBridge(ctx context.Context, s *service.Service, cfg bridge.Config, topics bus.Config, producer *bus.Producer) (*bridge.Bridge, error) {
	from := auth.SenderConfig{Log: s.Log}
	if err := service.Load(&from); err != nil {
		return nil, err
	}
	senders, err := auth.NewSenders(ctx, from)
	if err != nil {
		return nil, err
	}
	return bridge.New(cfg, topics.DeadLetterTopic, producer, senders, s.Log, s.Meter)
}
