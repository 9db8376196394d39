//go:build chaos

package chaos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"orderbell/internal/backoff"
)

const (
	// rate is the number of orders offered per second.
	rate = 200
	// tills is the number of concurrent requests.
	tills = 64
)

// load offers orders: half of them are paid, some are also prepared and completed, and some are cancelled. Each call has an
// Idempotency-Key and is retried until it is answered.
type load struct {
	origin  string
	client  *http.Client
	cancel  context.CancelFunc
	started time.Time
	done    sync.WaitGroup

	mu     sync.Mutex
	acked  map[string]int64 // the highest acknowledged version of each order
	orders int
	took   time.Duration
	errs   []error
}

// startLoad offers orders of the tenants until stop.
func (w *world) startLoad(ctx context.Context, t *testing.T, tenants []tenant, seed uint64) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	transport := &http.Transport{MaxIdleConnsPerHost: tills, ResponseHeaderTimeout: 15 * time.Second}
	l := &load{
		origin: "http://127.0.0.1:" + w.port, acked: map[string]int64{}, cancel: cancel, started: time.Now(),
		client: &http.Client{Transport: transport},
	}
	tickets := make(chan int, 100_000)
	l.done.Go(func() {
		defer close(tickets)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			for due := int(time.Since(l.started).Seconds() * rate); n < due; n++ {
				tickets <- n
			}
		}
	})
	for range tills {
		l.done.Go(func() {
			for n := range tickets {
				if ctx.Err() != nil {
					return // drop the orders that are still queued
				}
				l.order(t.Context(), randomFor(seed, strconv.Itoa(n)), tenants, n)
			}
		})
	}
	return l
}

// stop ends the load and returns when the calls in flight are answered.
func (l *load) stop(t *testing.T) {
	t.Helper()
	l.cancel()
	l.done.Wait()
	l.client.CloseIdleConnections()
	l.took = time.Since(l.started)
	for i, err := range l.errs {
		if i == 5 {
			t.Errorf("… and %d more", len(l.errs)-i)
			break
		}
		t.Error(err)
	}
}

// order creates order n and moves it through its states.
func (l *load) order(ctx context.Context, random *rand.Rand, tenants []tenant, n int) {
	s := tenants[n%2] // one order of ten goes to the tenant with mails
	if n%10 == 9 {
		s = tenants[2]
	}
	key := fmt.Sprintf("%s-%d", s.id, n)
	id, err := l.call(ctx, s, key, "/api/orders", map[string]any{"reference": fmt.Sprint(n), "total_amount": 125000, "currency": "IDR"})
	if err != nil {
		l.fail(err)
		return
	}
	l.mu.Lock()
	l.orders++
	l.mu.Unlock()
	var steps []string
	switch random.IntN(20) {
	case 0:
		steps = []string{"cancelled"}
	case 1, 2:
		steps = []string{"pay", "preparing", "ready", "completed"}
	case 3, 4, 5, 6, 7, 8, 9, 10:
		steps = []string{"pay"}
	}
	for _, step := range steps {
		path, body := "/status", map[string]any{"status": step}
		if step == "pay" {
			path, body = "/pay", nil
		}
		if _, err := l.call(ctx, s, key+"-"+step, "/api/orders/"+id+path, body); err != nil {
			l.fail(err)
			return
		}
	}
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

// call posts body until the API accepts or rejects it, and returns the order's id.
func (l *load) call(ctx context.Context, s tenant, key, path string, body map[string]any) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return "", err
		}
	}
	wait := backoff.New(50*time.Millisecond, time.Second)
	for {
		id, version, again, err := l.once(ctx, s, key, path, raw)
		switch {
		case err == nil:
			l.mu.Lock()
			l.acked[id] = max(l.acked[id], version)
			l.mu.Unlock()
			return id, nil
		case !again:
			return "", err
		}
		if !wait.Wait(ctx) {
			return "", fmt.Errorf("no answer for %s: %w", patience, err)
		}
	}
}

func (l *load) once(ctx context.Context, s tenant, key, path string, body []byte) (id string, version int64, again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.origin+path, bytes.NewReader(body))
	if err != nil {
		return "", 0, false, err
	}
	req.Header.Set("Authorization", "Bearer "+s.owner().token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Idempotency-Key", key)
	resp, err := l.client.Do(req)
	if err != nil {
		return "", 0, true, err
	}
	defer drain(resp.Body)
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", 0, true, err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		again = resp.StatusCode >= http.StatusInternalServerError
		return "", 0, again, fmt.Errorf("POST %s: %d %.300s", path, resp.StatusCode, answer)
	}
	var o struct {
		ID      string `json:"order_id"`
		Version int64  `json:"version"`
	}
	if err := json.Unmarshal(answer, &o); err != nil || o.ID == "" {
		return "", 0, false, fmt.Errorf("POST %s: %d %.300s", path, resp.StatusCode, answer)
	}
	return o.ID, o.Version, false, nil
}
