package trial

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"orderbell/internal/auth"
	"orderbell/internal/duration"
	"orderbell/internal/event"
	"orderbell/internal/feed"
	feedmessage "orderbell/internal/feed/message"
	"orderbell/internal/user"
	"orderbell/test/bench/internal/message"
)

// Busy is many tenants with orders at the same time, each with one stream.
type Busy struct {
	Tenants    int
	Events     int // of each tenant
	Recipients int // of each event
	Limit      int // bytes, of the gateway's container
}

// Held is the gateway's memory while it served them.
type Held struct {
	Empty, Most, End       int // resident bytes: before the first stream, the most, and at the end
	Budget, Counted        int // bytes
	Closed                 int // streams that the gateway ended
	Dropped, Trimmed, Came int // logs dropped and cut, events seen by all streams
}

// Busy measures a gateway with the memory limit of a container that serves them.
func (t *Trial) Busy(ctx context.Context, plan Busy, progress func(string)) (found Held, err error) {
	t.Env = []string{"GOMEMLIMIT=" + strconv.Itoa(plan.Limit/10*9)} // as the program sets it in a container
	s, err := t.startGateway(ctx)
	if err != nil {
		return found, err
	}
	defer s.close()
	if found.Empty, err = resident(s.server.PID()); err != nil {
		return found, err
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	came, closed := make(chan int, 1), make(chan struct{}, plan.Tenants)
	seen := make(chan struct{}, 1024)
	go func() {
		n := 0
		for {
			select {
			case <-seen:
				n++
			case <-reading.Done():
				came <- n
				return
			}
		}
	}()
	var opening errgroup.Group
	opening.SetLimit(writers)
	for n := range plan.Tenants {
		opening.Go(func() error { return s.watch(reading, n, seen, closed) })
	}
	if err := opening.Wait(); err != nil {
		return found, err
	}
	progress(fmt.Sprintf("%d streams are open", plan.Tenants))
	if err := s.sell(ctx, plan, func() {
		if now, err := resident(s.server.PID()); err == nil {
			found.Most = max(found.Most, now)
			progress(fmt.Sprintf("resident: %.0f MiB", float64(now)/(1<<20)))
		}
	}); err != nil {
		return found, err
	}
	time.Sleep(3 * time.Second) // wait for the last events
	if found.End, err = resident(s.server.PID()); err != nil {
		return found, err
	}
	found.Most = max(found.Most, found.End)
	if err := s.scrape(ctx, &found); err != nil {
		return found, err
	}
	stop()
	found.Came, found.Closed = <-came, len(closed)
	return found, nil
}

func tenant(n int) string { return "tenant-" + strconv.Itoa(n) }

// watch opens a tenant's stream and counts its order events until ctx ends.
func (s *subject) watch(ctx context.Context, n int, seen chan<- struct{}, closed chan<- struct{}) error {
	token, err := s.login.Sign(auth.Principal{
		UserID: "user-0", TenantID: tenant(n), Roles: []user.Role{user.Viewer}, Expires: time.Now().Add(time.Hour),
	}, time.Now())
	if err != nil {
		return fmt.Errorf("sign a token: %w", err)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)))
	if err != nil {
		return fmt.Errorf("open a stream: %w", err)
	}
	_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", s.Path, token)
	lines := bufio.NewReaderSize(conn, 512)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("open a stream: %w", err)
		}
		if line == s.Ready {
			break
		}
	}
	go func() {
		<-ctx.Done()
		_ = conn.Close()
	}()
	go func() {
		for {
			line, err := lines.ReadSlice('\n')
			if err != nil && err != bufio.ErrBufferFull { //nolint:errorlint // bufio returns it unwrapped
				if ctx.Err() == nil {
					closed <- struct{}{}
				}
				return
			}
			if strings.HasPrefix(string(line), "event: "+string(event.OrderPaid)) {
				select {
				case seen <- struct{}{}:
				case <-ctx.Done():
				}
			}
		}
	}()
	return nil
}

// sell publishes the events in rounds, one event of each tenant per round, and calls look after each round.
func (s *subject) sell(ctx context.Context, plan Busy, look func()) error {
	f, err := feed.Open(feed.Config{URL: s.redisURL, ReplayTTL: duration.Seconds(15 * time.Minute), ReplayMax: 4096, ReplayBytes: 64 << 10, Sharded: "auto"})
	if err != nil {
		return err //nolint:wrapcheck // it has the context
	}
	defer f.Close() //nolint:errcheck // everything was sent
	to := make([]event.Recipient, plan.Recipients)
	for i := range to {
		to[i] = event.Recipient{UserID: fmt.Sprintf("%036d", i), NotificationID: fmt.Sprintf("%036d", i)}
	}
	for round := range plan.Events {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(writers)
		for n := range plan.Tenants {
			group.Go(func() error {
				id := round*plan.Tenants + n
				return f.Publish(ctx, tenant(n), feedmessage.Message{ //nolint:wrapcheck // it has the context
					ID: message.EventID(id), Event: event.OrderPaid, Data: message.JSON(id, time.Now()), Recipients: to,
				})
			})
		}
		if err := group.Wait(); err != nil {
			return err //nolint:wrapcheck // it has the context
		}
		look()
	}
	return nil
}

// scrape reads the gateway's metrics.
func (s *subject) scrape(ctx context.Context, found *Held) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/metrics", s.Port), nil)
	if err != nil {
		return fmt.Errorf("read metrics: %w", err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("read metrics: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("read metrics: %w", err)
	}
	value := func(name string) int {
		for line := range strings.SplitSeq(string(text), "\n") {
			if strings.HasPrefix(line, name+" ") || strings.HasPrefix(line, name+"{") {
				v, _ := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
				return int(v)
			}
		}
		return -1
	}
	found.Budget = value("orderbell_sse_memory_budget_bytes")
	found.Counted = value("orderbell_sse_tenant_log_bytes") + value("orderbell_sse_stream_bytes") + value("orderbell_sse_unsent_bytes")
	found.Dropped, found.Trimmed = value("orderbell_sse_logs_dropped_total"), value("orderbell_sse_logs_trimmed_total")
	return nil
}
