package orderapi

import (
	"context"
	"sync"
	"time"

	"orderbell/internal/feed/message"
	"orderbell/internal/order"
)

const (
	// hintPause limits the rate of hints under load, when the relay is busy anyway.
	hintPause = 2 * time.Millisecond
	// hintTimeout is the time limit of a hint. Without it, the relay finds the events soon after.
	hintTimeout = time.Second
)

// hinted is a store that wakes the relay after each commit, and tells the gateways the new state of the order.
type hinted struct {
	Store

	news chan struct{}

	mu     sync.Mutex
	latest map[string][]message.Commit // by tenant, since the last hint
}

// Hinted returns store, and calls publish after committed changes until ctx ends. publish gets the latest commits of each tenant,
// at most [message.MaxCommits], so that few of them wait for a slow Redis. Calls run one at a time in the background: they delay no
// answer, and a burst of changes shares one call. An error of publish is dropped, since the relay also reads the outbox without hints.
func Hinted(ctx context.Context, store Store, publish func(ctx context.Context, latest map[string][]message.Commit) error) Store {
	h := &hinted{Store: store, news: make(chan struct{}, 1), latest: map[string][]message.Commit{}}
	go h.run(ctx, publish)
	return h
}

func (h *hinted) run(ctx context.Context, publish func(context.Context, map[string][]message.Commit) error) {
	pause := time.NewTicker(hintPause)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.news:
		}
		h.mu.Lock()
		latest := h.latest
		h.latest = map[string][]message.Commit{}
		h.mu.Unlock()
		attempt, cancel := context.WithTimeout(ctx, hintTimeout)
		_ = publish(attempt, latest)
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

// tell returns a and err, and wakes the relay if there is something new.
func (h *hinted) tell(tenantID string, a order.Answer, err error) (order.Answer, error) {
	if err != nil {
		return a, err
	}
	if a.EventID != "" {
		h.mu.Lock()
		commits := append(h.latest[tenantID], message.Commit{EventID: a.EventID, Data: a.Event})
		h.latest[tenantID] = commits[max(0, len(commits)-message.MaxCommits):]
		h.mu.Unlock()
	}
	select {
	case h.news <- struct{}{}:
	default: // a hint that has not been sent yet covers this change too
	}
	return a, nil
}

// Create implements [Store].
func (h *hinted) Create(ctx context.Context, o order.Order, r order.Request) (order.Answer, error) {
	a, err := h.Store.Create(ctx, o, r)
	return h.tell(r.TenantID, a, err)
}

// Change implements [Store].
func (h *hinted) Change(ctx context.Context, id string, next order.Status, r order.Request) (order.Answer, error) {
	a, err := h.Store.Change(ctx, id, next, r)
	return h.tell(r.TenantID, a, err)
}

// Undo implements [Store].
func (h *hinted) Undo(ctx context.Context, id string, version int64, states []order.Status, r order.Request) (order.Answer, error) {
	a, err := h.Store.Undo(ctx, id, version, states, r)
	return h.tell(r.TenantID, a, err)
}
