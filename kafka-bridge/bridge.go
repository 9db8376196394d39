package main

import (
	"context"

	"orderbell/internal/auth"
	"orderbell/internal/bus"
	"orderbell/internal/service"
	"orderbell/kafka-bridge/internal/bridge"
)

type config struct {
	Bus     bus.Config
	Bridge  bridge.Config
	Senders auth.SenderConfig // of dead letters
}

func newBridge(ctx context.Context, s *service.Service, cfg config, producer *bus.Producer) (*bridge.Bridge, error) {
	cfg.Senders.Log = s.Log
	senders, err := auth.NewSenders(ctx, cfg.Senders)
	if err != nil {
		return nil, err
	}
	if err := s.Observe(senders); err != nil {
		return nil, err
	}
	return bridge.New(cfg.Bridge, cfg.Bus.DeadLetterTopic, producer, senders, s.Log, s.Meter)
}
