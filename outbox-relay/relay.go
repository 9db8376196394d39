package main

import (
	"orderbell/internal/bus"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/store/outbox"
	"orderbell/internal/store/verdicts"
	"orderbell/outbox-relay/internal/relay"
)

// newRelay returns the relay, and registers the metrics that only an always running program can export.
func newRelay(cfg config, pool *database.Pool, producer *bus.Producer, admin *bus.Admin, s *service.Service) (*relay.Relay, error) {
	events := eventstore.New(pool, "")
	if err := relay.ObserveOperations(events, events, verdicts.New(pool), s.Log, s.Meter); err != nil {
		return nil, err
	}
	topics := relay.Topics{Events: cfg.Bus.Topic, DeadLetters: cfg.Bus.DeadLetterTopic}
	return relay.New(cfg.Relay, topics, outbox.New(pool), producer, admin, s.Log, s.Meter)
}
