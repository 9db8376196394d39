//go:build chaos

package chaos_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/r3labs/sse/v2"

	"orderbell/internal/backoff"
)

const (
	streamPath = "/api/sse/notifications"
	// silence is the time after which a watcher closes a stream without data. The gateway sends heartbeats every 2 s.
	silence = 10 * time.Second
)

// entry is an order in a watcher's list.
type entry struct {
	Version int64  `json:"version"`
	Status  string `json:"status"`
}

// frame is one event of a stream.
type frame struct {
	id, event string
	data      []byte
}

// watcher is a client that follows the stream's contract: it keeps a list of orders by version, from stream and snapshot.
type watcher struct {
	name   string
	tenant tenant
	token  string
	stream string // the origin, through the streams' proxy
	origin string // for the snapshot
	client *http.Client
	ended  chan struct{}

	mu      sync.Mutex
	list    map[string]entry
	news    map[string]bool // ids of notifications
	frames  int
	again   int // frames with an event that the watcher already had
	seen    map[string]bool
	resyncs int
	loads   int
	missed  bool // after a resync: notifications may be in the inbox only
	last    string
	retry   time.Duration
	ready   bool
}

// watch opens three streams of each tenant: owner and viewer follow the WHATWG's rules, the cashier uses r3labs/sse.
func (w *world) watch(ctx context.Context, t *testing.T, tenants []tenant) []*watcher {
	t.Helper()
	var all []*watcher
	for _, s := range tenants {
		for _, p := range s.users {
			if p.role == "manager" {
				continue
			}
			watcher := &watcher{
				name: string(p.role) + " of " + s.id, tenant: s, token: p.token, stream: "http://" + w.streams.address,
				origin: "http://127.0.0.1:" + w.port, client: idleTimeoutClient(), list: map[string]entry{}, news: map[string]bool{},
				seen: map[string]bool{}, retry: time.Second, ended: make(chan struct{}),
			}
			follow := watcher.follow
			if p.role == "cashier" {
				follow = watcher.followR3labs
			}
			go func() {
				defer close(watcher.ended)
				defer watcher.client.CloseIdleConnections()
				follow(ctx)
			}()
			all = append(all, watcher)
		}
	}
	eventually(t, patience, "every watcher's stream to be ready", func() error {
		for _, x := range all {
			x.mu.Lock()
			ready := x.ready
			x.mu.Unlock()
			if !ready {
				return errors.New(x.name + " has no stream yet")
			}
		}
		return nil
	})
	return all
}

// idleTimeoutClient returns a client that closes a connection when no data has arrived for a while, because it may be half-open.
func idleTimeoutClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := (&net.Dialer{Timeout: silence}).DialContext(ctx, network, address)
			return &impatientConn{c}, err
		},
		MaxIdleConnsPerHost: 2,
	}}
}

type impatientConn struct{ net.Conn }

func (c *impatientConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(silence)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// follow reads the stream, and opens it again when it ends, until ctx ends.
func (x *watcher) follow(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		opened := x.open(ctx)
		x.mu.Lock()
		wait := x.retry
		x.mu.Unlock()
		if failures++; opened {
			failures = 0
		}
		wait = backoff.After(failures+1, wait, 30*time.Second)
		backoff.Sleep(ctx, backoff.Jitter(2*wait))
	}
}

// open reads one stream to its end. It returns false if the stream could not be opened.
func (x *watcher) open(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, x.stream+streamPath, nil)
	if err != nil {
		return false
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+x.token)
	x.mu.Lock()
	if x.last != "" {
		req.Header.Set("Last-Event-ID", x.last)
	}
	x.mu.Unlock()
	resp, err := x.client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode != http.StatusOK {
		return false
	}
	var f frame
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "":
			if f.event != "" {
				x.take(ctx, f)
			}
			f = frame{}
		case name == "id":
			f.id = value
		case name == "event":
			f.event = value
		case name == "data":
			f.data = append(f.data, value...)
		case name == "retry":
			if ms, err := strconv.Atoi(value); err == nil {
				x.mu.Lock()
				x.retry = time.Duration(ms) * time.Millisecond
				x.mu.Unlock()
			}
		}
	}
	return true
}

// followR3labs does the same with the most widely used client for Go.
func (x *watcher) followR3labs(ctx context.Context) {
	client := sse.NewClient(x.stream + streamPath)
	client.Connection = x.client
	client.Headers["Authorization"] = "Bearer " + x.token
	client.ReconnectStrategy = &constantBackOff{ctx: ctx}
	for ctx.Err() == nil {
		// The client does not reconnect after a clean end. A stream may end cleanly before ctx does.
		_ = client.SubscribeRawWithContext(ctx, func(e *sse.Event) {
			x.take(ctx, frame{id: string(e.ID), event: string(e.Event), data: e.Data})
		})
		backoff.Sleep(ctx, time.Second)
	}
}

// constantBackOff makes r3labs/sse wait a second between attempts.
type constantBackOff struct{ ctx context.Context }

func (s *constantBackOff) NextBackOff() time.Duration {
	if s.ctx.Err() != nil {
		return -1
	}
	return time.Second
}

func (s *constantBackOff) Reset() {}

func (x *watcher) take(ctx context.Context, f frame) {
	var data struct {
		entry
		OrderID        string `json:"order_id"`
		NotificationID string `json:"notification_id"`
		Resumed        bool   `json:"resumed"`
	}
	if err := json.Unmarshal(f.data, &data); err != nil {
		return // such as heartbeats, which r3labs/sse passes on
	}
	x.mu.Lock()
	x.last = f.id
	x.frames++
	load := false
	switch f.event {
	case "ready":
		// The contract says to load the snapshot after this frame: then no event is lost between the two.
		load, x.ready = !data.Resumed, true
	case "resync":
		x.resyncs++
		load, x.missed = true, true
	case "notification":
		x.news[data.NotificationID] = true
	case "order_created", "order_paid", "order_status_updated":
		if x.seen[f.id] {
			x.again++
		}
		x.seen[f.id] = true
		x.put(data.OrderID, data.entry)
	}
	x.mu.Unlock()
	if load {
		x.load(ctx)
	}
}

// put keeps the higher version. The caller holds mu.
func (x *watcher) put(id string, e entry) {
	if e.Version > x.list[id].Version {
		x.list[id] = e
	}
}

// load loads the snapshot, and retries until it succeeds or ctx ends.
func (x *watcher) load(ctx context.Context) {
	for {
		err := x.loadOnce(ctx)
		if err == nil || !backoff.Sleep(ctx, 300*time.Millisecond) {
			return
		}
	}
}

func (x *watcher) loadOnce(ctx context.Context) error {
	query := url.Values{"limit": {"500"}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, x.origin+"/api/orders/snapshot?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+x.token)
		resp, err := x.client.Do(req)
		if err != nil {
			return err
		}
		var page struct {
			Orders []struct {
				entry
				OrderID string `json:"order_id"`
			} `json:"orders"`
			Next string `json:"next_cursor"`
		}
		err = json.NewDecoder(resp.Body).Decode(&page)
		drain(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			return fmt.Errorf("snapshot: %d %w", resp.StatusCode, err)
		}
		x.mu.Lock()
		for _, o := range page.Orders {
			x.put(o.OrderID, o.entry)
		}
		if page.Next == "" {
			x.loads++
		}
		x.mu.Unlock()
		if page.Next == "" {
			return nil
		}
		query.Set("cursor", page.Next)
	}
}

// orders returns a copy of the list.
func (x *watcher) orders() map[string]entry {
	x.mu.Lock()
	defer x.mu.Unlock()
	return maps.Clone(x.list)
}
