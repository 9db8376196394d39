package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/IBM/sarama"
	kafka "github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2"
	"github.com/cloudevents/sdk-go/v2/binding"

	"orderbell/internal/bus/record"
	"orderbell/internal/event/cloudevent"
)

// Producer sends events. It connects at the first Send, and reconnects after an outage of Kafka. It is safe for
// concurrent use: batches sent at the same time share requests.
type Producer struct {
	brokers  []string
	settings *sarama.Config

	connecting sync.Mutex // held by the Send that connects
	mu         sync.Mutex
	current    *connection
	closed     bool
}

// connection is one idempotent producer. It is closed once it is retired and the last Send that uses it has returned.
type connection struct {
	sarama.SyncProducer
	users   int
	retired bool
}

// NewProducer returns a producer for c's brokers. Its error is about c alone; Send returns an error while Kafka is
// down.
func NewProducer(c Config) (*Producer, error) {
	s, err := c.client()
	if err != nil {
		return nil, err
	}
	s.Producer.RequiredAcks = sarama.WaitForAll
	s.Producer.Idempotent = true // the client's retries neither duplicate nor reorder …
	s.Net.MaxOpenRequests = 1    // … with one request under way per broker
	s.Producer.Retry.Max = 10    // at 100 ms each: for a new topic or leader that a broker does not know yet
	s.Producer.MaxMessageBytes = maxMessage
	s.Producer.Partitioner = newPartitioner
	s.Producer.Return.Successes = true
	s.Producer.Compression = sarama.CompressionLZ4 // events are similar; LZ4 is cheap
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("configure Kafka: %w", err)
	}
	return &Producer{brokers: c.Brokers, settings: s}, nil
}

// Send sends events to topic and waits for the result. It returns one error per event: nil if Kafka has the event,
// [record.ErrRefused] if a retry is useless. If ctx ends first, the result of all is unknown and reported as an error.
//
// Events with the same key arrive in the given order unless one fails: then a later one may have arrived. A caller that
// needs the order sends the second event after the first is acknowledged.
func (p *Producer) Send(ctx context.Context, topic string, events []cloudevent.Event) []error {
	errs := make([]error, len(events))
	messages := make([]*sarama.ProducerMessage, 0, len(events))
	for i := range events {
		m := &sarama.ProducerMessage{Topic: topic, Metadata: i}
		err := events[i].Validate() // the encoder writes invalid ones too, which no consumer can read
		if err == nil {
			err = kafka.WriteProducerMessage(ctx, (*binding.EventMessage)(&events[i]), m)
		}
		if err != nil {
			errs[i] = fmt.Errorf("encode event: %w: %w", record.ErrRefused, err)
			continue
		}
		messages = append(messages, m)
	}
	if len(messages) == 0 {
		return errs
	}
	failed, err := within(ctx, func() (map[int]error, error) { return p.send(messages) })
	for _, m := range messages {
		i, _ := m.Metadata.(int)
		if err != nil {
			errs[i] = err
		} else {
			errs[i] = failed[i]
		}
	}
	return errs
}

// send returns the errors by the messages' Metadata.
func (p *Producer) send(messages []*sarama.ProducerMessage) (map[int]error, error) {
	c, err := p.acquire()
	if err != nil {
		return nil, err
	}
	failed := sendBatch(c, messages)
	if len(messages) > 1 {
		sendAlone(c, messages, failed)
	}
	p.release(c, len(failed) == len(messages) && !allRefused(failed))
	return failed, nil
}

func sendBatch(c *connection, messages []*sarama.ProducerMessage) map[int]error {
	failed := map[int]error{}
	var errs sarama.ProducerErrors
	switch err := c.SendMessages(messages); {
	case err == nil:
	case errors.As(err, &errs):
		for _, e := range errs {
			i, _ := e.Msg.Metadata.(int)
			failed[i] = sendError(e.Err)
		}
	default:
		for _, m := range messages {
			i, _ := m.Metadata.(int)
			failed[i] = sendError(err)
		}
	}
	return failed
}

// sendAlone sends refused events again, one by one: a broker refuses a whole batch because of one large event.
func sendAlone(c *connection, messages []*sarama.ProducerMessage, failed map[int]error) {
	for _, m := range messages {
		i, _ := m.Metadata.(int)
		if !errors.Is(failed[i], record.ErrRefused) {
			continue
		}
		again := &sarama.ProducerMessage{Topic: m.Topic, Key: m.Key, Value: m.Value, Headers: m.Headers, Metadata: i}
		if _, _, err := c.SendMessage(again); err != nil {
			failed[i] = sendError(err)
		} else {
			delete(failed, i)
		}
	}
}

func sendError(err error) error {
	var tooLarge sarama.ConfigurationError // the client's error for a message that is too large
	if errors.As(err, &tooLarge) || errors.Is(err, sarama.ErrMessageSizeTooLarge) ||
		errors.Is(err, sarama.ErrInvalidMessageSize) || errors.Is(err, sarama.ErrInvalidRecord) {
		return fmt.Errorf("send event: %w: %w", record.ErrRefused, err)
	}
	return fmt.Errorf("send event: %w", err)
}

func allRefused(failed map[int]error) bool {
	for _, err := range failed {
		if !errors.Is(err, record.ErrRefused) {
			return false
		}
	}
	return true
}

func (p *Producer) acquire() (*connection, error) {
	p.connecting.Lock()
	defer p.connecting.Unlock()
	if c := p.use(nil); c != nil {
		return c, nil
	}
	producer, err := sarama.NewSyncProducer(p.brokers, p.settings)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	if c := p.use(&connection{SyncProducer: producer}); c != nil {
		return c, nil
	}
	return nil, errors.Join(errors.New("send event: the producer is closed"), producer.Close())
}

// use returns the connection for a Send: the current one, otherwise fresh, which becomes the current one; nil without
// either.
func (p *Producer) use(fresh *connection) *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fresh != nil && !p.closed {
		p.current = fresh
	}
	if p.current != nil {
		p.current.users++
	}
	return p.current
}

// release gives c back. A connection on which every event failed is retired, so that the next Send uses a new one and
// no client state outlives an outage.
func (p *Producer) release(c *connection, broken bool) {
	p.mu.Lock()
	c.users--
	if broken {
		p.retire(c)
	}
	last := c.retired && c.users == 0
	p.mu.Unlock()
	if last {
		_ = c.Close() // all results have been returned
	}
}

func (p *Producer) retire(c *connection) {
	c.retired = true
	if p.current == c {
		p.current = nil
	}
}

// Close closes the connection once the Sends under way have returned. Later ones fail.
func (p *Producer) Close() {
	p.mu.Lock()
	p.closed = true
	c := p.current
	if c != nil {
		p.retire(c)
	}
	idle := c != nil && c.users == 0
	p.mu.Unlock()
	if idle {
		_ = c.Close() // nothing is under way, so nothing can fail
	}
}
