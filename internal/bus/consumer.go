package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/IBM/sarama"
	kafka "github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2"
	"github.com/cloudevents/sdk-go/v2/binding"

	"orderbell/internal/backoff"
	"orderbell/internal/bus/record"
)

// Start is the position of a group that has never committed an offset.
type Start int

// Values of [Start].
const (
	Latest   Start = iota // with new messages, the default of Knative's consumer groups
	Earliest              // with the oldest message of the topic
)

// Consumer reads the topic of events as a member of consumer groups.
type Consumer struct {
	brokers  []string
	topic    string
	settings *sarama.Config
	log      *slog.Logger
}

// NewConsumer returns a consumer of c's topic. Its error is about c alone; Consume logs that Kafka is down.
func NewConsumer(c Config, start Start, log *slog.Logger) (*Consumer, error) {
	s, err := c.client()
	if err != nil {
		return nil, err
	}
	s.Consumer.Return.Errors = true
	s.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategySticky()}
	s.Consumer.Offsets.AutoCommit.Interval = 250 * time.Millisecond // bounds the repeated deliveries after a crash
	s.Consumer.Offsets.Initial = sarama.OffsetNewest
	if start == Earliest {
		s.Consumer.Offsets.Initial = sarama.OffsetOldest
	}
	return &Consumer{brokers: c.Brokers, topic: c.Topic, settings: s, log: log}, nil
}

const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
)

// Consume joins group and calls handle for each message until ctx ends. Up to inFlight messages of a partition are
// handled at once; with 1 a partition's messages are handled one after the other. A message whose handler fails is
// handled again, and no later message is committed before it. The context of handle ends with ctx, and when another
// member takes over the partition.
//
// Consume returns nil when ctx has ended, handlers have returned and marks are committed. While Kafka or the topic is
// not available, it logs and retries.
func (c *Consumer) Consume(ctx context.Context, group string, inFlight int, handle func(context.Context, record.Record) error) error {
	return c.consume(ctx, group, claims{inFlight: max(inFlight, 1), handle: handle})
}

// ConsumeByKey is like [Consumer.Consume], but handles the messages of one key one after the other, whatever inFlight
// is. A failing message only delays its own key, until inFlight messages wait.
func (c *Consumer) ConsumeByKey(ctx context.Context, group string, inFlight int, handle func(context.Context, record.Record) error) error {
	return c.consume(ctx, group, claims{inFlight: max(inFlight, 1), handle: handle, byKey: true})
}

func (c *Consumer) consume(ctx context.Context, group string, as claims) error {
	log := c.log.With("group", group)
	as.log = log
	again := backoff.New(minBackoff, maxBackoff)
	for ctx.Err() == nil {
		began := time.Now()
		if err := c.join(ctx, group, &as, log); err != nil && ctx.Err() == nil {
			if time.Since(began) > time.Minute {
				again.Reset() // it has worked for a while
			}
			pause := again.Next()
			log.WarnContext(ctx, "consumer group lost", "err", err, "again_in", pause)
			backoff.Sleep(ctx, pause)
		}
	}
	return nil
}

// join runs a member of group until ctx ends, or until an error that a new member may not have.
func (c *Consumer) join(ctx context.Context, group string, handler sarama.ConsumerGroupHandler, log *slog.Logger) error {
	member, err := within(ctx, func() (sarama.ConsumerGroup, error) {
		return sarama.NewConsumerGroup(c.brokers, group, c.settings)
	})
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for err := range member.Errors() {
			log.WarnContext(ctx, "consumer group error", "err", err)
		}
	})
	for err == nil && ctx.Err() == nil {
		err = member.Consume(ctx, []string{c.topic}, handler) // returns nil after each rebalance
	}
	err = errors.Join(err, member.Close())
	reading.Wait()
	if err != nil {
		return fmt.Errorf("consume %s: %w", c.topic, err)
	}
	return nil
}

// claims handles a member's partitions.
type claims struct {
	inFlight int
	handle   func(context.Context, record.Record) error
	byKey    bool // messages of one key wait for each other
	log      *slog.Logger
}

func (*claims) Setup(sarama.ConsumerGroupSession) error { return nil }

func (*claims) Cleanup(sarama.ConsumerGroupSession) error { return nil } // sarama commits the marks itself

// ConsumeClaim handles one partition until it is taken away.
func (c *claims) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	w := &window{mark: func(offset int64) {
		session.MarkOffset(claim.Topic(), claim.Partition(), offset+1, "")
	}}
	var handlers sync.WaitGroup
	defer handlers.Wait()
	slots := make(chan struct{}, c.inFlight)
	turns := turns{}
	for {
		select {
		case slots <- struct{}{}:
		case <-session.Context().Done():
			return nil
		}
		select {
		case <-session.Context().Done():
			return nil
		case m, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			w.begin(m.Offset)
			before, done := (<-chan struct{})(nil), make(chan struct{})
			if c.byKey {
				before = turns.take(string(m.Key), done, c.inFlight)
			}
			handlers.Go(func() {
				defer func() { <-slots }()
				defer close(done)
				if before != nil {
					<-before // ends with the session too, since its handler does
				}
				if c.until(session.Context(), decode(session.Context(), m)) {
					w.done(m.Offset)
				}
			})
		}
	}
}

// turns has, for each key, the channel that closes when the latest message of the key is handled.
type turns map[string]<-chan struct{}

// take queues a message of key. The message closes done when it is handled. take returns the channel that it has to
// wait for, nil for none.
func (t turns) take(key string, done <-chan struct{}, inFlight int) <-chan struct{} {
	if len(t) > 2*inFlight { // at most inFlight are under way; the others are removed
		maps.DeleteFunc(t, func(_ string, done <-chan struct{}) bool {
			select {
			case <-done:
				return true
			default:
				return false
			}
		})
	}
	before := t[key]
	t[key] = done
	return before
}

// until calls the handler with r until it succeeds, and reports whether it did before ctx ended.
func (c *claims) until(ctx context.Context, r record.Record) bool {
	again := backoff.New(minBackoff, maxBackoff)
	for ctx.Err() == nil {
		err := c.handle(ctx, r)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		pause := again.Next()
		c.log.WarnContext(ctx, "message not handled", "err", err, "partition", r.Partition, "offset", r.Offset, "again_in", pause)
		if !backoff.Sleep(ctx, pause) {
			return false
		}
	}
	return false
}

// window marks a partition's messages in order, although they may finish out of order.
type window struct {
	mark    func(offset int64)
	mu      sync.Mutex
	pending []pendingOffset // ascending; the first is not done
}

type pendingOffset struct {
	offset int64
	done   bool
}

func (w *window) begin(offset int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = append(w.pending, pendingOffset{offset: offset})
}

func (w *window) done(offset int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.pending {
		if w.pending[i].offset == offset {
			w.pending[i].done = true
			break
		}
	}
	n := 0
	for n < len(w.pending) && w.pending[n].done {
		n++
	}
	if n > 0 {
		w.mark(w.pending[n-1].offset)
		w.pending = w.pending[n:]
	}
}

// decode parses m. The event has only what the publisher wrote.
func decode(ctx context.Context, m *sarama.ConsumerMessage) record.Record {
	r := record.Record{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Time: m.Timestamp, Key: m.Key, Value: m.Value}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, record.Header{Key: string(h.Key), Value: h.Value})
	}
	message := kafka.NewMessageFromConsumerMessage(m)
	for _, added := range []string{"ce_kafkatopic", "ce_kafkapartition", "ce_kafkaoffset"} {
		delete(message.Headers, added) // by kafka_sarama, to what was published
	}
	e, err := binding.ToEvent(ctx, message)
	if err == nil {
		err = e.Validate()
	}
	if err != nil {
		r.Err = fmt.Errorf("not a CloudEvent: %w", err)
		return r
	}
	r.Event = *e
	return r
}
