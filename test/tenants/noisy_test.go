//go:build tenants

// Package tenants_test measures, on a complete stack, how much a tenant with the highest permitted load affects another.
package tenants_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/dev/process"
	"orderbell/internal/dev/waittest"
	"orderbell/internal/user"
)

const (
	noisy, quiet = "demo", "kopi"
	// patience is long enough for a busy machine.
	patience = 2 * time.Minute
)

// stack is a running `orderbell dev` with the default limits of a tenant.
type stack struct {
	Origin      string `json:"origin"`
	MailpitURL  string `json:"mailpit_url"`
	DatabaseURL string `json:"database_url"`
	Secret      string `json:"auth_dev_secret"`

	db     *pgxpool.Pool
	tokens map[string]string // of each tenant's owner
}

func start(t *testing.T) *stack {
	t.Helper()
	data, dist := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dist, "index.html"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	bin, err := filepath.Abs("../../bin/orderbell")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "dev", "--data", data, "--frontend", dist) //nolint:noctx // process.Process ends it
	cmd.Env = append(os.Environ(), "PORT=0", "LOG_LEVEL=WARN", "TENANT_ORDERS_PER_SECOND=50", "TENANT_MAILS_PER_HOUR=2000", "TENANT_REQUESTS_AT_ONCE=2")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	running, err := process.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.Stop(time.Minute); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(output.String())
		}
	})
	s := &stack{tokens: map[string]string{}}
	waittest.Until(t, "the stack is ready", func() bool {
		content, err := os.ReadFile(filepath.Join(data, "dev.json"))
		return err == nil && json.Unmarshal(content, s) == nil
	})
	if s.db, err = pgxpool.New(t.Context(), s.DatabaseURL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.db.Close)
	for _, tenant := range []string{noisy, quiet} {
		var id string
		if err := s.db.QueryRow(t.Context(), `SELECT id::text FROM users WHERE tenant_id = $1 AND 'owner' = ANY (roles)`, tenant).Scan(&id); err != nil {
			t.Fatal(err)
		}
		s.tokens[tenant] = authtest.Token(t, authtest.Config(s.Secret), auth.Principal{UserID: id, TenantID: tenant, Roles: []user.Role{user.Owner}})
	}
	return s
}

// call sends a request to the API as the tenant's owner. The status is 0 if there was no response.
func (s *stack) call(ctx context.Context, client *http.Client, tenant, method, path, body string) (status int, answer []byte) {
	r, err := http.NewRequestWithContext(ctx, method, s.Origin+path, strings.NewReader(body))
	if err != nil {
		return 0, nil
	}
	r.Header.Set("Authorization", "Bearer "+s.tokens[tenant])
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(r)
	if err != nil {
		return 0, nil
	}
	defer response.Body.Close() //nolint:errcheck // only read
	answer, err = io.ReadAll(response.Body)
	if err != nil {
		return 0, nil
	}
	return response.StatusCode, answer
}

// watch reads the tenant's stream and calls seen with each line of data, until ctx ends.
func (s *stack) watch(ctx context.Context, tenant string, seen func(line string)) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Origin+"/api/sse/notifications", nil)
	if err != nil {
		return
	}
	r.Header.Set("Authorization", "Bearer "+s.tokens[tenant])
	response, err := (&http.Client{Transport: &http.Transport{}}).Do(r)
	if err != nil {
		return
	}
	defer response.Body.Close() //nolint:errcheck // only read
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		seen(lines.Text())
	}
}

// figures are the quiet tenant's latencies.
type figures struct {
	P50, P99 time.Duration // from the beginning of POST /api/orders to the frame on the stream
	Mail     time.Duration // the longest time from a payment to its mail at the mail server
	Orders   int
}

func (f figures) String() string {
	return fmt.Sprintf("%d orders: p50 %s, p99 %s, slowest mail %s", f.Orders, f.P50.Round(100*time.Microsecond), f.P99.Round(100*time.Microsecond), f.Mail.Round(10*time.Millisecond))
}

// measure creates ten orders a second of the quiet tenant, and pays every tenth.
func (s *stack) measure(t *testing.T, orders int) figures {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	came := map[string]time.Time{}
	ready := make(chan struct{})
	opened := sync.OnceFunc(func() { close(ready) })
	go s.watch(ctx, quiet, func(line string) {
		opened()
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			var order struct {
				OrderID string `json:"order_id"`
				Version int    `json:"version"`
			}
			if json.Unmarshal([]byte(data), &order) == nil && order.Version == 1 {
				mu.Lock()
				came[order.OrderID] = time.Now()
				mu.Unlock()
			}
		}
	})
	<-ready
	client := &http.Client{Timeout: patience}
	sent, paid := map[string]time.Time{}, map[string]time.Time{}
	pace := time.NewTicker(100 * time.Millisecond)
	defer pace.Stop()
	for i := range orders {
		<-pace.C
		began := time.Now()
		reference := fmt.Sprintf("Q%d-%d", began.UnixMilli(), i)
		status, answer := s.call(ctx, client, quiet, http.MethodPost, "/api/orders", `{"total_amount":100,"reference":"`+reference+`"}`)
		var order struct {
			OrderID string `json:"order_id"`
		}
		if err := json.Unmarshal(answer, &order); err != nil || status != http.StatusCreated {
			t.Fatalf("the quiet tenant's order: %d %s", status, answer)
		}
		sent[order.OrderID] = began
		if i%10 == 0 {
			paid[reference] = time.Now()
			if status, answer := s.call(ctx, client, quiet, http.MethodPost, "/api/orders/"+order.OrderID+"/pay", ""); status != http.StatusOK {
				t.Fatalf("the quiet tenant's payment: %d %s", status, answer)
			}
		}
	}
	waittest.Until(t, "the quiet tenant's orders are on its stream", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(came) >= orders
	})
	f := figures{Orders: orders, Mail: s.slowestMail(t, paid)}
	var took []time.Duration
	for id, began := range sent {
		took = append(took, came[id].Sub(began))
	}
	slices.Sort(took)
	f.P50, f.P99 = took[len(took)/2], took[len(took)*99/100]
	return f
}

// slowestMail waits until the quiet tenant's owner has a mail of each payment, and returns the longest time that one took.
func (s *stack) slowestMail(t *testing.T, paid map[string]time.Time) (longest time.Duration) {
	t.Helper()
	waittest.Until(t, "the quiet tenant has its mails", func() bool {
		var done int
		err := s.db.QueryRow(t.Context(), `SELECT count(DISTINCT data->>'reference') FROM email_deliveries
			WHERE tenant_id = $1 AND status = 'sent' AND data->>'reference' = ANY ($2)`, quiet, slices.Collect(keys(paid))).Scan(&done)
		return err == nil && done == len(paid)
	})
	rows, err := s.db.Query(t.Context(), `SELECT data->>'reference', sent_at FROM email_deliveries WHERE tenant_id = $1 AND status = 'sent'`, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var reference string
		var at time.Time
		if err := rows.Scan(&reference, &at); err != nil {
			t.Fatal(err)
		}
		if began, ok := paid[reference]; ok {
			longest = max(longest, at.Sub(began))
		}
	}
	return longest
}

func keys(m map[string]time.Time) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// disturb produces the highest permitted load of the noisy tenant until the returned function is called, which returns a summary.
func (s *stack) disturb(t *testing.T) (stop func() string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var orders, read, refused atomic.Int64
	client := &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 300}}
	count := func(status int, good *atomic.Int64) {
		switch {
		case status == http.StatusTooManyRequests:
			refused.Add(1)
			wait(ctx, time.Second) // as Retry-After says
		case status/100 == 2:
			good.Add(1)
		}
	}
	for range 8 {
		all.Go(func() {
			for ctx.Err() == nil {
				status, answer := s.call(ctx, client, noisy, http.MethodPost, "/api/orders", `{"total_amount":100,"reference":"N"}`)
				count(status, &orders)
				var order struct {
					OrderID string `json:"order_id"`
				}
				if status == http.StatusCreated && json.Unmarshal(answer, &order) == nil {
					status, _ = s.call(ctx, client, noisy, http.MethodPost, "/api/orders/"+order.OrderID+"/pay", "")
					count(status, &orders)
				}
			}
		})
	}
	for range 150 {
		all.Go(func() {
			for ctx.Err() == nil {
				status, _ := s.call(ctx, client, noisy, http.MethodGet, "/api/orders/snapshot?limit=500", "")
				count(status, &read)
			}
		})
	}
	for range 50 {
		all.Go(func() { s.watch(ctx, noisy, func(string) {}) })
	}
	return func() string {
		cancel()
		all.Wait()
		return fmt.Sprintf("%d orders created and paid, %d snapshots, %d refusals", orders.Load(), read.Load(), refused.Load())
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// TestNoisyNeighbour measures the quiet tenant alone and next to a tenant with the highest permitted load: as many users as it may
// have, all with mails of everything, as many orders as it can create, 150 readers and 50 streams.
func TestNoisyNeighbour(t *testing.T) {
	s := start(t)
	orders := 300
	if testing.Short() {
		orders = 60
	}
	const crowd = `INSERT INTO users (id, tenant_id, email, roles, notification_email_events, notification_in_app_events)
		SELECT gen_random_uuid(), $1, 'u' || n || '@crowd.example', '{owner}', e, e
		FROM generate_series(1, 495) AS n, (VALUES (ARRAY['order_created', 'order_paid', 'order_status_updated'])) AS v (e)`
	if _, err := s.db.Exec(t.Context(), crowd, noisy); err != nil {
		t.Fatal(err)
	}
	s.measure(t, 20) // warm up programs and caches
	alone := s.measure(t, orders)
	t.Logf("quiet:  %s", alone)
	stop := s.disturb(t)
	beside := s.measure(t, orders)
	did := stop()
	t.Logf("beside: %s\nthe noisy tenant: %s", beside, did)
	if report := os.Getenv("TENANTS_REPORT"); report != "" {
		text := fmt.Sprintf("quiet:  %s\nbeside: %s\nthe noisy tenant: %s\n", alone, beside, did)
		if err := os.WriteFile(report, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if beside.Mail > 30*time.Second {
		t.Errorf("a mail of the quiet tenant is %s late", beside.Mail)
	}
	if beside.P99 > 2*alone.P99 {
		t.Errorf("p99 from order to stream is %s beside a noisy tenant and %s alone: more than twice as long", beside.P99, alone.P99)
	}
}
