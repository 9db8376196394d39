package events

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"orderbell/internal/duration"
	"orderbell/internal/feed"
	"orderbell/internal/feed/message"
	"orderbell/internal/order"
	"orderbell/internal/store/orderstore"
)

// path is a way of an order from its transaction to the stream of its tenant.
type path struct {
	name   string
	commit func(ctx context.Context, tenant string) (orderID string, err error)
	stream func(ctx context.Context, tenant string) (*http.Request, error)
	ready  string // what a stream begins with
}

// commitTenants have a stream each. Orders go to each in turn.
var commitTenants = []string{"bench-1", "bench-2", "bench-3", "bench-4", "bench-5"} //nolint:gochecknoglobals // a constant

var commitRates = []int{10, 100, 300} //nolint:gochecknoglobals // a constant; orders a second

// measure makes orders at each rate, and measures the time from the start of an order's transaction until its client has it.
func (p path) measure(ctx context.Context, o Options) ([]figure, error) {
	var found []figure
	for i, rate := range append([]int{100}, commitRates...) {
		took, err := p.at(ctx, rate, o.For)
		if err != nil {
			return nil, fmt.Errorf("%s at %d orders a second: %w", p.name, rate, err)
		}
		if i == 0 {
			continue // it connects and starts everything
		}
		of := fmt.Sprintf("%s, %d orders a second", p.name, rate)
		found = append(found,
			figure{"from an order's transaction to the client, p50", of, float64(took.ValueAtQuantile(50)) / 1000, "ms"},
			figure{"from an order's transaction to the client, p99", of, float64(took.ValueAtQuantile(99)) / 1000, "ms"})
	}
	return found, nil
}

// arrivals are the orders under way.
type arrivals struct {
	mu    sync.Mutex
	began map[string]time.Time // of orders that were committed
	came  map[string]time.Time // of orders that a client has
}

// patience is how long the last orders may take.
const patience = 30 * time.Second

func (p path) at(ctx context.Context, rate int, length time.Duration) (*hdrhistogram.Histogram, error) {
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	a := &arrivals{began: map[string]time.Time{}, came: map[string]time.Time{}}
	for _, tenant := range commitTenants {
		if err := p.follow(ctx, tenant, a, &running); err != nil {
			return nil, err
		}
	}
	n := int(float64(rate) * length.Seconds())
	began := time.Now()
	failed := make(chan error, n)
	var sending sync.WaitGroup
	for i := range n {
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(rate))))
		sending.Go(func() {
			at := time.Now()
			id, err := p.commit(ctx, commitTenants[i%len(commitTenants)])
			if err != nil {
				failed <- err
				return
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			a.began[id] = at
		})
	}
	sending.Wait()
	close(failed)
	if err := <-failed; err != nil {
		return nil, err
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		took, missing, err := a.sum()
		if err != nil || missing == 0 {
			return took, err
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("%d of %d orders did not reach their client within %s", missing, n, patience)
		}
	}
}

func (a *arrivals) sum() (took *hdrhistogram.Histogram, missing int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	took = hdrhistogram.New(1, time.Minute.Microseconds(), 3)
	for id, began := range a.began {
		came, ok := a.came[id]
		if !ok {
			missing++
			continue
		}
		err = errors.Join(err, took.RecordValue(came.Sub(began).Microseconds()))
	}
	return took, missing, err
}

var orderID = regexp.MustCompile(`"order_id": ?"([0-9a-f-]{36})"`) // PostgreSQL's jsonb writes a space

// follow opens the stream of a tenant and returns when it is subscribed. It notes when each order comes for the first time.
func (p path) follow(ctx context.Context, tenant string, a *arrivals, running *sync.WaitGroup) error {
	r, err := p.stream(ctx, tenant)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("open a stream: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return errors.Join(fmt.Errorf("open a stream: %s", res.Status), res.Body.Close())
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && !strings.Contains(lines.Text(), p.ready) {
	}
	if err := lines.Err(); err != nil {
		return errors.Join(fmt.Errorf("open a stream: %w", err), res.Body.Close())
	}
	running.Go(func() {
		defer res.Body.Close() //nolint:errcheck // it is left
		for lines.Scan() {
			at := time.Now()
			found := orderID.FindSubmatch(lines.Bytes())
			if found == nil {
				continue
			}
			a.mu.Lock()
			if _, ok := a.came[string(found[1])]; !ok {
				a.came[string(found[1])] = at
			}
			a.mu.Unlock()
		}
	})
	return nil
}

// commits measures Orderbell: the same store and hint as order-api, without HTTP, and all programs from there on.
func commits(ctx context.Context, s servers, o Options) ([]figure, error) {
	address, err := s.empty(ctx, o.Bin)
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp("", "orderbell-bench")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(data) //nolint:errcheck // a temporary folder
	env, dev, err := startAll(ctx, s, o, address, data)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dev.Stop(time.Minute) }()
	tokens := map[string]string{}
	for i, tenant := range commitTenants {
		cmd := exec.CommandContext(ctx, filepath.Join(o.Bin, "orderbell"), "token", "--data", data, "--tenant", tenant, "--email", fmt.Sprintf("u1@bench%d.example", i+1)) //nolint:gosec // our own program
		cmd.Env = env
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("orderbell token: %w", err)
		}
		tokens[tenant] = strings.TrimSpace(string(out))
	}
	pool, err := open(ctx, address, commitConns)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	watchers, err := feed.Open(feed.Config{URL: s.redis, ReplayTTL: duration.Seconds(15 * time.Minute), ReplayMax: 4096, ReplayBytes: 8 << 20, Sharded: "auto"})
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what is wrong
	}
	defer watchers.Close() //nolint:errcheck // all is measured
	store := orderstore.New(pool)
	var origin string
	for _, v := range env {
		if port, ok := strings.CutPrefix(v, "PORT="); ok {
			origin = "http://127.0.0.1:" + port
		}
	}
	p := path{
		name: "Orderbell", ready: "event: ready",
		commit: func(ctx context.Context, tenant string) (string, error) {
			made, err := store.Create(ctx, order.Order{Reference: "A-1042", TotalAmount: 125000, Currency: "IDR"}, order.Request{TenantID: tenant})
			if err != nil {
				return "", err //nolint:wrapcheck // it says what failed
			}
			return made.Order.ID, watchers.Committed(ctx, map[string][]message.Commit{tenant: {{EventID: made.EventID, Data: made.Event}}}) //nolint:wrapcheck // as above
		},
		stream: func(ctx context.Context, tenant string) (*http.Request, error) {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+"/api/sse/notifications", nil)
			if err != nil {
				return nil, fmt.Errorf("open a stream: %w", err)
			}
			r.Header.Set("Accept", "text/event-stream")
			r.Header.Set("Authorization", "Bearer "+tokens[tenant])
			return r, nil
		},
	}
	return p.measure(ctx, o)
}

// commitConns are more connections than orders are under way.
const commitConns = 10
