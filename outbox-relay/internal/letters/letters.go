// Package letters counts the dead letters that are open, by the kind of their reason, for a metric that an operator can be
// alerted by. It reads the topic of dead letters as it grows, as a member of no group; every relay counts all of them.
package letters

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

	cloudevents "github.com/cloudevents/sdk-go/v2"
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
	dropped       = "dropped"        // the broker could not write the letter, and the repair did: redrive --auto sends it again
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

	next map[int32]int64 // by partition, the offset after the last that was read; of Follow alone

	mu    sync.Mutex
	open  map[place]string              // by place, the kind of reason
	first map[deadletter.Delivery]place // by delivery, its first letter: later ones are duplicates
	whole bool                          // the topic was read to its end once: before, the counts would be too small
}

// New returns a counter of the topic's open letters, whose metric meter exports once [Counter.Follow] has read the topic.
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

// Open returns how many letters are open, by the kind of their reason; nil before the topic was read.
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

// Follow reads what is new in the topic until ctx ends.
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

// Catch reads what came to the topic since it was called last.
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

// forget removes the letters that the topic no longer keeps.
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

func kind(letter cloudevents.Event) string {
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
