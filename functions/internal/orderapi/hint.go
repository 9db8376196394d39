package orderapi

import (
	"context"
	"time"

	"orderbell/internal/order"
)

const (
	// hintPause is the shortest time between two hints of an instance. Under load the relay does not need more.
	hintPause = 2 * time.Millisecond
	// hintTimeout is how long a hint may take. Without it, a relay finds the events with its next look.
	hintTimeout = time.Second
)

// hinted is a store that wakes the relay after each commit.
type hinted struct {
	Store

	news chan struct{}
}

// Hinted wraps store so that publish is called after each committed change, until ctx ends. Calls run one at a time in
// the background: they delay no answer, and a burst of changes shares one call. Errors of publish are ignored, because
// the relay also reads the outbox without hints.
func Hinted(ctx context.Context, store Store, publish func(context.Context) error) Store {
	h := &hinted{Store: store, news: make(chan struct{}, 1)}
	go h.run(ctx, publish)
	return h
}

func (h *hinted) run(ctx context.Context, publish func(context.Context) error) {
	pause := time.NewTicker(hintPause)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.news:
		}
		attempt, cancel := context.WithTimeout(ctx, hintTimeout)
		_ = publish(attempt)
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

// tell returns a and err, and wakes the relay if there is a new event.
func (h *hinted) tell(a order.Answer, err error) (order.Answer, error) {
	if err == nil {
		select {
		case h.news <- struct{}{}:
		default: // a hint that has not been sent yet covers this change too
		}
	}
	return a, err
}

// Create implements [Store].
func (h *hinted) Create(ctx context.Context, o order.Order, r order.Request) (order.Answer, error) {
	return h.tell(h.Store.Create(ctx, o, r))
}

// Change implements [Store].
func (h *hinted) Change(ctx context.Context, id string, next order.Status, r order.Request) (order.Answer, error) {
	return h.tell(h.Store.Change(ctx, id, next, r))
}

// Undo implements [Store].
func (h *hinted) Undo(ctx context.Context, id string, version int64, states []order.Status, r order.Request) (order.Answer, error) {
	return h.tell(h.Store.Undo(ctx, id, version, states, r))
}
