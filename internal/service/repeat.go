package service

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"
)

// repeatEvery is the period in which a repeated message is logged at most burst times. Later ones are counted.
const repeatEvery = time.Minute

// maxRepeated bounds the messages that are remembered. Messages are constants of the code, so there are fewer.
const maxRepeated = 256

// repeated is a log handler that bounds repeated warnings and errors, so that an outage writes few lines. For each
// message and level, the first burst lines pass; more within repeatEvery are counted, and the next line says how many
// were left out. Other levels pass. Attributes do not count: an outage of Redis has another text for each tenant.
type repeated struct {
	next slog.Handler
	seen *seen
}

// burst is the number of lines of one message that pass in each repeatEvery.
const burst = 3

type seen struct {
	mu       sync.Mutex
	messages map[string]*count
}

type count struct {
	began  time.Time // of the minute under way
	passed int       // in it
	left   int       // not logged since the last line
}

func limitRepeated(next slog.Handler) slog.Handler {
	return repeated{next: next, seen: &seen{messages: map[string]*count{}}}
}

// Enabled implements [slog.Handler].
func (h repeated) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// WithAttrs implements [slog.Handler]. All handlers of one logger are counted together.
func (h repeated) WithAttrs(attrs []slog.Attr) slog.Handler {
	return repeated{next: h.next.WithAttrs(attrs), seen: h.seen}
}

// WithGroup implements [slog.Handler].
func (h repeated) WithGroup(name string) slog.Handler {
	return repeated{next: h.next.WithGroup(name), seen: h.seen}
}

// Handle implements [slog.Handler].
func (h repeated) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return h.next.Handle(ctx, r)
	}
	left, pass := h.seen.pass(r.Level.String()+r.Message, r.Time)
	if !pass {
		return nil
	}
	if left > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("repeated", left))
	}
	return h.next.Handle(ctx, r)
}

// pass reports whether a message is logged now, and how many were left out before it.
func (s *seen) pass(message string, now time.Time) (left int, pass bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.messages[message]
	if !ok {
		if len(s.messages) >= maxRepeated {
			// Entries whose period is over without a left-out line can be removed.
			maps.DeleteFunc(s.messages, func(_ string, c *count) bool { return c.left == 0 && now.Sub(c.began) >= repeatEvery })
		}
		if len(s.messages) >= maxRepeated {
			return 0, true
		}
		c = &count{began: now}
		s.messages[message] = c
	}
	if now.Sub(c.began) >= repeatEvery {
		c.began, c.passed = now, 0
		if c.left > 0 {
			c.passed = burst - 1 // the records still repeat: one line for the minute
		}
	}
	if c.passed >= burst {
		c.left++
		return 0, false
	}
	left = c.left
	c.passed, c.left = c.passed+1, 0
	return left, true
}
