// Package deadletters counts open dead letters by the kind of their reason, for the metric of an alert. It follows the topic of dead
// letters without a consumer group, so every relay counts all of them.
package deadletters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"orderbell/internal/backoff"
	"orderbell/internal/bus/record"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
)

// every is the interval of the counts.
const every = 30 * time.Second

// Reader reads a topic as it is now.
type Reader interface {
	Spans(ctx context.Context, topic string, since time.Time) ([]record.Span, error)
	Read(ctx context.Context, topic string, spans []record.Span, each func(record.Record) error) error
}

// The kinds of reasons: few, since each is a time series.
const (
	unavailable   = "unavailable"    // the function did not answer, or 5xx and the like: redrive --auto sends it again
	dropped       = "dropped"        // the broker could not write the dead letter, so the repair wrote it: redrive --auto sends it again
	unknownSender = "unknown_sender" // 401 or 403: the function did not know the broker
	refused       = "refused"        // any other refusal
	notSent       = "not_sent"       // no function was asked: the relay or a scan found that the event is invalid
)

type place struct {
	partition int32
	offset    int64
}

// Counter is made by [New].
type Counter struct {
	topic  string
	reader Reader
	log    *slog.Logger

	next map[int32]int64 // by partition, the next offset to read; only Follow uses it

	mu    sync.Mutex
	open  map[place]string              // the kind of reason by place
	first map[deadletter.Delivery]place // the first dead letter of each delivery: later ones are duplicates
	whole bool                          // the topic was read to its end once: until then the counts are too small
}

// New returns a counter of the topic's open dead letters. Its metric has values once [Counter.Follow] has read the topic.
func New(topic string, reader Reader, log *slog.Logger, meter metric.Meter) (*Counter, error) {
	c := &Counter{topic: topic, reader: reader, log: log, next: map[int32]int64{}, open: map[place]string{}, first: map[deadletter.Delivery]place{}}
	_, err := meter.Int64ObservableGauge("orderbell.dead_letters.open",
		metric.WithDescription("Dead letters that are neither redriven nor closed, by the kind of their reason. Labels: reason."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			for kind, n := range c.Open() {
				o.Observe(int64(n), metric.WithAttributes(attribute.String("reason", kind)))
			}
			return nil
		}))
	if err != nil {
		return nil, fmt.Errorf("set up the metric of dead letters: %w", err)
	}
	return c, nil
}

// Open returns the number of open dead letters by the kind of their reason, or nil before the topic was read.
func (c *Counter) Open() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.whole {
		return nil
	}
	counts := map[string]int{unavailable: 0, dropped: 0, unknownSender: 0, refused: 0, notSent: 0}
	for _, kind := range c.open {
		counts[kind]++
	}
	return counts
}

// Follow reads new records of the topic until ctx ends.
func (c *Counter) Follow(ctx context.Context) {
	for {
		if err := c.Catch(ctx); err != nil && ctx.Err() == nil {
			c.log.WarnContext(ctx, "dead letters not counted", "err", err)
		}
		if !backoff.Sleep(ctx, every) {
			return
		}
	}
}

// Catch reads the records that were added to the topic since its last call.
func (c *Counter) Catch(ctx context.Context) error {
	spans, err := c.reader.Spans(ctx, c.topic, time.Time{})
	if err != nil {
		return err
	}
	var fresh []record.Span
	for p, next := range c.next { // a partition that is empty again has no span
		if !slices.ContainsFunc(spans, func(s record.Span) bool { return s.Partition == p }) {
			c.forget(record.Span{Partition: p, From: next})
		}
	}
	for _, s := range spans {
		if next, known := c.next[s.Partition]; known && next > s.To {
			return errors.New("the topic of dead letters was created again: restart outbox-relay to count again")
		}
		c.forget(s)
		if s.From = max(s.From, c.next[s.Partition]); s.From < s.To {
			fresh = append(fresh, s)
		}
	}
	err = c.reader.Read(ctx, c.topic, fresh, func(r record.Record) error {
		c.take(r)
		c.next[r.Partition] = r.Offset + 1
		return nil
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.whole = true
	c.mu.Unlock()
	return nil
}

// forget removes the dead letters that the topic no longer keeps.
func (c *Counter) forget(s record.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at := range c.open {
		if at.partition == s.Partition && at.offset < s.From {
			delete(c.open, at)
		}
	}
	maps.DeleteFunc(c.first, func(_ deadletter.Delivery, at place) bool { return at.partition == s.Partition && at.offset < s.From })
}

func (c *Counter) take(r record.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if note, ok := deadletter.ParseRedriven(r.Event); ok {
		delete(c.open, place{note.Partition, note.Offset})
		return
	}
	if note, ok := deadletter.ParseClosed(r.Event); ok {
		delete(c.open, place{note.Partition, note.Offset})
		return
	}
	at := place{r.Partition, r.Offset}
	if r.Err != nil {
		c.open[at] = notSent
		return
	}
	if d, ok := deadletter.DeliveryOf(r.Event); ok {
		if _, again := c.first[d]; again {
			return
		}
		c.first[d] = at
	}
	c.open[at] = kind(r.Event)
}

func kind(letter cloudevent.Event) string {
	switch dest, asked := cloudevent.Extension(letter, deadletter.ExtErrorDest); {
	case !asked:
		return notSent
	case dest == deadletter.DestDropped:
		return dropped
	}
	code, answered := cloudevent.Extension(letter, deadletter.ExtErrorCode)
	status, err := strconv.Atoi(code)
	switch {
	case !answered || err != nil:
		return unavailable
	case status == 401 || status == 403:
		return unknownSender
	case deadletter.Retryable(status):
		return unavailable
	}
	return refused
}
