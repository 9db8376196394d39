//go:build cluster

package cluster_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"orderbell/internal/backoff"
)

// api is a client of the HTTP API: it creates and pays orders, as the page does.
type api struct {
	origin string
	token  string
	client *http.Client
}

func newAPI(origin, token string) *api {
	return &api{origin: origin, token: token, client: &http.Client{
		Timeout:   time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: 200},
	}}
}

type orderView struct {
	ID     string `json:"order_id"`
	Status string `json:"status"`
}

// post sends body to path under an Idempotency-Key, and tries again what may be: a pod that was killed took the answer
// with it, not the order.
func (a *api) post(ctx context.Context, key, path string, body any) (orderView, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return orderView{}, err
	}
	var last error
	wait := backoff.New(200*time.Millisecond, 20*time.Second)
	for try := range 8 {
		if try > 0 && !wait.Wait(ctx) {
			return orderView{}, errors.Join(last, ctx.Err())
		}
		var o orderView
		var again bool
		if o, again, last = a.once(ctx, key, path, raw); last == nil || !again {
			return o, last
		}
	}
	return orderView{}, last
}

// read sends a GET request to path, and expects 200.
func (a *api) read(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.origin+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	resp, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %d", path, resp.StatusCode)
	}
	return nil
}

func (a *api) once(ctx context.Context, key, path string, body []byte) (o orderView, again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.origin+path, bytes.NewReader(body))
	if err != nil {
		return o, false, err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	resp, err := a.client.Do(req)
	if err != nil {
		return o, true, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return o, true, err
	}
	if resp.StatusCode >= 300 {
		again = resp.StatusCode >= 500 || resp.StatusCode == http.StatusConflict && strings.Contains(string(answer), "still")
		return o, again, fmt.Errorf("POST %s: %d %.200s", path, resp.StatusCode, answer)
	}
	return o, false, json.Unmarshal(answer, &o)
}

func (a *api) create(ctx context.Context, reference string) (orderView, error) {
	return a.post(ctx, "create-"+reference, "/api/orders",
		map[string]any{"reference": reference, "total_amount": 125000, "currency": "IDR"})
}

func (a *api) pay(ctx context.Context, id string) error {
	_, err := a.post(ctx, "pay-"+id, "/api/orders/"+id+"/pay", map[string]any{})
	return err
}

func (a *api) status(ctx context.Context, id, status string) error {
	_, err := a.post(ctx, status+"-"+id, "/api/orders/"+id+"/status", map[string]string{"status": status})
	return err
}

// inParallel runs work for 0 to n-1, workers at a time, and returns the first error.
func inParallel(n, workers int, work func(int) error) error {
	next := make(chan int)
	errs := make(chan error, workers)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				if err := work(i); err != nil {
					select {
					case errs <- fmt.Errorf("%d of %d: %w", i, n, err):
					default:
					}
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

// frame is one event of a stream.
type frame struct {
	id, event string
	data      []byte
	at        time.Time
}

// watcher is a client that follows the WHATWG's rules: it reconnects with Last-Event-ID after the retry time of the stream.
type watcher struct {
	mu      sync.Mutex
	events  map[string]int // how often each order event arrived, by id
	frames  []frame        // only if keep is set
	keep    bool
	resyncs int
	opens   int
	last    string
	retry   time.Duration
	ready   chan struct{}
	ended   chan struct{}
}

// watch follows the stream at origin until ctx ends.
func watch(ctx context.Context, client *http.Client, origin, token string, keep bool) *watcher {
	w := &watcher{
		events: map[string]int{}, keep: keep, retry: time.Second,
		ready: make(chan struct{}), ended: make(chan struct{}),
	}
	go func() {
		defer close(w.ended)
		for ctx.Err() == nil {
			_ = w.open(ctx, client, origin, token) // the end of a stream is no error: the test checks for missing events
			w.mu.Lock()
			pause := w.retry
			w.mu.Unlock()
			backoff.Sleep(ctx, backoff.Jitter(pause))
		}
	}()
	return w
}

func (w *watcher) open(ctx context.Context, client *http.Client, origin, token string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+"/api/sse/notifications", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+token)
	w.mu.Lock()
	if w.last != "" {
		req.Header.Set("Last-Event-ID", w.last)
	}
	w.mu.Unlock()
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the stream is refused with %d", resp.StatusCode)
	}
	w.mu.Lock()
	w.opens++
	w.mu.Unlock()
	var f frame
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			w.take(f)
			f = frame{}
		case name == "id":
			f.id = value
		case name == "event":
			f.event = value
		case name == "data":
			f.data = append(f.data, value...)
		case name == "retry":
			if ms, err := strconv.Atoi(value); err == nil {
				w.mu.Lock()
				w.retry = time.Duration(ms) * time.Millisecond
				w.mu.Unlock()
			}
		}
	}
	return lines.Err()
}

func (w *watcher) take(f frame) {
	f.at = time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if f.id != "" {
		w.last = f.id
	}
	switch f.event {
	case "":
		return
	case "ready":
		select {
		case <-w.ready:
		default:
			close(w.ready)
		}
	case "resync":
		w.resyncs++
	case "order_created", "order_paid", "order_status_updated":
		w.events[f.id]++
	}
	if w.keep {
		w.frames = append(w.frames, f)
	}
}

// has returns the numbers of different order events, repeated order events, and resync frames.
func (w *watcher) has() (events, again, resyncs int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.events {
		again += n - 1
	}
	return len(w.events), again, w.resyncs
}

// find waits for a frame that match accepts, and returns it.
func (w *watcher) find(t *testing.T, patience time.Duration, what string, match func(frame) bool) frame {
	t.Helper()
	var found frame
	eventually(t, patience, what, func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, f := range w.frames {
			if match(f) {
				found = f
				return nil
			}
		}
		return fmt.Errorf("none of %d frames matches", len(w.frames))
	})
	return found
}

// eventually calls cond every 50 ms until it returns nil.
func eventually(t *testing.T, patience time.Duration, what string, cond func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := cond()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s: %v", patience, what, err)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}
