package check

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"orderbell/cmd/orderbell/internal/watch"
	"orderbell/internal/event"
	"orderbell/internal/feed/message"
)

// watcher keeps the frames of one stream.
type watcher struct {
	name   string
	mu     sync.Mutex
	frames []watch.Frame
	more   chan struct{} // closed and replaced at each frame
	ended  chan error
}

// startWatcher follows a stream until ctx ends.
func startWatcher(ctx context.Context, name string, o watch.Options) *watcher {
	w := &watcher{name: name, more: make(chan struct{}), ended: make(chan error, 1)}
	go func() {
		if err := watch.Follow(ctx, o, w.add); err != nil {
			w.ended <- err
		}
	}()
	return w
}

func (w *watcher) add(f watch.Frame) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frames = append(w.frames, f)
	close(w.more)
	w.more = make(chan struct{})
}

func (w *watcher) look() ([]watch.Frame, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.frames), w.more
}

// await returns nil once the frames are enough.
func (w *watcher) await(ctx context.Context, what string, enough func([]watch.Frame) bool) error {
	for {
		frames, more := w.look()
		if enough(frames) {
			return nil
		}
		select {
		case <-more:
		case err := <-w.ended:
			return fmt.Errorf("%s: %w", w.name, err)
		case <-ctx.Done():
			return fmt.Errorf("%s got no %s in time, only %v", w.name, what, names(frames))
		}
	}
}

// seen returns the time at which the frame arrived, zero if it has not arrived.
func (w *watcher) seen(name, id string) time.Time {
	frames, _ := w.look()
	for _, f := range frames {
		if f.Event == name && f.ID == id {
			return f.At
		}
	}
	return time.Time{}
}

func count(frames []watch.Frame, name string) int {
	n := 0
	for _, f := range frames {
		if f.Event == name {
			n++
		}
	}
	return n
}

func has(frames []watch.Frame, name, id string) bool {
	return slices.ContainsFunc(frames, func(f watch.Frame) bool { return f.Event == name && f.ID == id })
}

func names(frames []watch.Frame) []string {
	all := make([]string, len(frames))
	for i, f := range frames {
		all[i] = f.Event + " " + f.ID
	}
	return all
}

// sameOrders compares the order frames of a watcher with the changes: all, once each, in their order.
func sameOrders(w *watcher, changes []*change) error {
	frames, _ := w.look()
	var got, want []string
	for _, f := range frames {
		if event.Type(f.Event).Valid() {
			got = append(got, f.Event+" "+f.ID)
		}
	}
	for _, c := range changes {
		want = append(want, string(c.Type)+" "+c.Event.ID)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s saw %v, want %v", w.name, got, want)
	}
	if n := count(frames, "resync"); n > 0 {
		return fmt.Errorf("%s was told to resync %d times, want never", w.name, n)
	}
	return nil
}

// Arrivals records when the feed delivered each event.
type Arrivals struct {
	mu sync.Mutex
	at map[string]time.Time
}

// NewArrivals returns an empty memory.
func NewArrivals() *Arrivals { return &Arrivals{at: map[string]time.Time{}} }

// Published is called by the feed for each message.
func (a *Arrivals) Published(_ string, p message.Published) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.at[p.Message.ID]; !known {
		a.at[p.Message.ID] = time.Now()
	}
}

// Confirmed is called by the feed when it follows.
func (a *Arrivals) Confirmed(string) {}

// Expected implements feed.Sink.
func (a *Arrivals) Expected(string, []message.Commit) {}

// Lost implements feed.Sink.
func (a *Arrivals) Lost(string, time.Time) {}

func (a *Arrivals) of(eventID string) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at[eventID]
}

// pollEvery is for questions to PostgreSQL, Kafka and the mail server.
const pollEvery = 25 * time.Millisecond

// poll asks until the answer is yes.
func poll(ctx context.Context, what string, ask func() (bool, error)) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		yes, err := ask()
		if yes || (err != nil && ctx.Err() == nil) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("timed out: it is not yet true that %s", what)
		case <-tick.C:
		}
	}
}
