package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"orderbell/internal/order"
)

// row is an order as a screen shows it.
type row struct {
	Version int64        `json:"version"`
	Status  order.Status `json:"status"`
	Amount  int64        `json:"total_amount"`
}

// snapshot is a request of a watcher to the API.
type snapshot struct {
	orders map[string]row
	inbox  []string
}

// watcher is a client that keeps the rules of sse-contract.md, "What a client does".
type watcher struct {
	shop        *shop
	user, token string
	stop        func()
	wake        chan struct{} // it has come back
	news        chan struct{} // its screen has changed

	mu          sync.Mutex
	away, late  bool
	cutOff      func()
	lastEventID string
	orders      map[string]row
	inbox       map[string]bool
	waiting     []snapshot // answered, but not received yet
	heard       []string
}

// watch opens a stream for a user, and keeps it open.
func (s *shop) watch(ctx context.Context, user, token string) *watcher {
	ctx, end := context.WithCancel(ctx)
	w := &watcher{
		shop: s, user: user, token: token, orders: map[string]row{}, inbox: map[string]bool{}, cutOff: func() {},
		wake: make(chan struct{}, 1), news: make(chan struct{}, 1),
	}
	ended := make(chan struct{})
	w.stop = func() {
		end()
		<-ended
	}
	go func() {
		defer close(ended)
		w.follow(ctx)
	}()
	return w
}

func (w *watcher) follow(ctx context.Context) {
	for ctx.Err() == nil {
		stream, end := context.WithCancel(ctx)
		w.mu.Lock()
		away, last := w.away, w.lastEventID
		w.cutOff = end
		w.mu.Unlock()
		pause := time.Millisecond
		if away {
			pause = patience
		} else {
			w.stream(stream, last)
		}
		end()
		select {
		case <-time.After(pause):
		case <-w.wake:
		case <-ctx.Done():
		}
	}
}

// stream reads one stream to its end.
func (w *watcher) stream(ctx context.Context, lastEventID string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.shop.address()+"/api/sse/notifications", nil)
	if err != nil {
		panic(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Authorization", "Bearer "+w.token)
	if lastEventID != "" {
		r.Header.Set("Last-Event-ID", lastEventID)
	}
	response, err := w.shop.client.Do(r)
	if err != nil {
		return // cut off, or the gateway is down
	}
	defer response.Body.Close() //nolint:errcheck // it is read to its end, or left
	c := &client{Response: response, lines: bufio.NewReader(response.Body)}
	for {
		f, err := c.next()
		if err != nil {
			return
		}
		w.take(f)
	}
}

func (w *watcher) take(f frame) {
	var data struct {
		row
		OrderID        string `json:"order_id"`
		NotificationID string `json:"notification_id"`
		Resumed        bool   `json:"resumed"`
	}
	if f.Data != "" {
		if err := json.Unmarshal([]byte(f.Data), &data); err != nil {
			panic(fmt.Sprintf("frame %+v: %v", f, err))
		}
	}
	load := f.Event == "resync" || f.Event == "ready" && !data.Resumed
	var got snapshot
	if load {
		got = w.shop.snapshot(w.user)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = append(w.heard, fmt.Sprintf("%s %s %s", f.ID, f.Event, f.Data))
	if f.ID != "" {
		w.lastEventID = f.ID
	}
	switch {
	case load && w.late:
		w.waiting = append(w.waiting, got)
	case load:
		w.show(got)
	case f.Event == "notification":
		w.inbox[data.NotificationID] = true
	case strings.HasPrefix(f.Event, "order_"):
		w.show(snapshot{orders: map[string]row{data.OrderID: data.row}})
	}
	w.tell()
}

// show applies what was received: of each order it keeps the highest version.
func (w *watcher) show(s snapshot) {
	for id, o := range s.orders {
		if o.Version > w.orders[id].Version {
			w.orders[id] = o
		}
	}
	for _, id := range s.inbox {
		w.inbox[id] = true
	}
}

func (w *watcher) tell() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}

func (w *watcher) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cutOff()
}

func (w *watcher) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = true
	w.cutOff()
}

func (w *watcher) comeBack() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = false
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// slow delays the answers to its requests while late.
func (w *watcher) slow(late bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.late = late
	if !late {
		for _, s := range w.waiting {
			w.show(s)
		}
		w.waiting = nil
		w.tell()
	}
}

// settle waits until the screen shows what the database has.
func (w *watcher) settle(rt *rapid.T) {
	w.comeBack()
	w.slow(false)
	want := w.shop.snapshot(w.user)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		w.mu.Lock()
		got := snapshot{maps.Clone(w.orders), slices.Sorted(maps.Keys(w.inbox))}
		heard := strings.Join(w.heard, "\n")
		w.mu.Unlock()
		diff := cmp.Diff(want, got, cmp.AllowUnexported(snapshot{}))
		if diff == "" {
			return
		}
		select {
		case <-w.news:
		case <-limit.C:
			rt.Fatalf("%s does not show what the database has (-database +screen):\n%s\nIt received:\n%s", w.user, diff, heard)
		}
	}
}
