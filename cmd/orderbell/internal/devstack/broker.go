package devstack

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"time"

	"orderbell/cmd/orderbell/internal/localbroker"
	"orderbell/internal/bus"
	"orderbell/internal/event"
)

// subscribers are the functions of the topic's events. A trigger, its consumer group and its function have one name.
func subscribers() map[string]event.Type {
	return map[string]event.Type{
		orderCreated: event.OrderCreated, orderPaid: event.OrderPaid, orderStatusUpdated: event.OrderStatusUpdated,
	}
}

// Groups returns the local broker's consumer groups, sorted.
func Groups() []string { return slices.Sorted(maps.Keys(subscribers())) }

// inFlight is max.poll.records of k8s/kafka-broker/settings.
const inFlight = 500

// delivery equals the delivery of the Triggers in k8s/.
func delivery() localbroker.Delivery {
	return localbroker.Delivery{Retry: 6, BackoffDelay: 200 * time.Millisecond, Timeout: 30 * time.Second}
}

// broker is the running local broker.
type broker struct {
	cancel   context.CancelFunc
	producer *bus.Producer
	done     chan struct{}
	broken   chan error
}

// startBroker starts the local broker with one trigger for each function.
func startBroker(cfg bus.Config, log *slog.Logger, urls map[string]*url.URL, secret string) (*broker, error) {
	// A new group begins with the oldest message, so that messages which programs write before the group has joined are not
	// lost. k8s/kafka-broker/settings sets the same for Knative's groups.
	consumer, err := bus.NewConsumer(cfg, bus.Earliest, log)
	if err != nil {
		return nil, err
	}
	producer, err := bus.NewProducer(cfg)
	if err != nil {
		return nil, err
	}
	var triggers []localbroker.Trigger
	for name, eventType := range subscribers() {
		triggers = append(triggers, localbroker.Trigger{
			Name: name, Type: eventType, Subscriber: urls[name].String() + "/", Secret: secret, InFlight: inFlight, Delivery: delivery(),
		})
	}
	topics := localbroker.Topics{Events: cfg.Topic, DeadLetters: cfg.DeadLetterTopic}
	local, err := localbroker.New(triggers, topics, consumer, producer, log)
	if err != nil {
		producer.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &broker{cancel: cancel, producer: producer, done: make(chan struct{}), broken: make(chan error, 1)}
	go func() {
		defer close(b.done)
		if err := local.Run(ctx); err != nil {
			b.broken <- fmt.Errorf("local broker: %w", err)
		}
	}()
	return b, nil
}

// stop cancels the deliveries in flight. They are repeated after the next start.
func (b *broker) stop() {
	b.cancel()
	<-b.done
	b.producer.Close()
}
