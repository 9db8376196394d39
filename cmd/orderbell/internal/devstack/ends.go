package devstack

import (
	"slices"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/internal/bus"
	"orderbell/internal/store/database"
	"orderbell/internal/store/eventstore"
)

// ends are what has to be closed, the last one first.
type ends []func()

func (e *ends) add(end func()) { *e = append(*e, end) }

func (e *ends) run() {
	for _, end := range slices.Backward(*e) {
		end()
	}
}

// office returns the dead letters of the topic.
func (e *ends) office(cfg bus.Config, pool *database.Pool) (*deadletter.Office, error) {
	reader, err := bus.NewReader(cfg)
	if err != nil {
		return nil, err
	}
	e.add(reader.Close)
	producer, err := bus.NewProducer(cfg)
	if err != nil {
		return nil, err
	}
	e.add(producer.Close)
	return &deadletter.Office{
		Topics: deadletter.Topics{Events: cfg.Topic, DeadLetters: cfg.DeadLetterTopic}, Reader: reader, Bus: producer,
		Sources: eventstore.New(pool, ""), PerSecond: redriveRate,
	}, nil
}
