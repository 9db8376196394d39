package events

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/google/uuid"

	"orderbell/internal/dev/embedded"
	"orderbell/internal/dev/process"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/order"
)

// program is a handler of paid orders: order-paid, or the serial one of this program.
type program struct {
	name, bin, label string
	env              []string
}

const (
	serialName   = "bench-serial"
	serialLabel  = "one statement after the other"
	senderSecret = "the secret of the benchmark's events"
)

func (p program) title() string {
	switch {
	case p.label != "":
		return p.label
	case p.name == serialName:
		return serialLabel
	}
	return p.name
}

// running is a started program.
type running struct {
	*process.Process
	url string
}

// start starts the program and returns when it accepts connections.
func (p program) start(ctx context.Context, s servers, address string, conns int) (*running, error) {
	listen, err := embedded.FreeAddr()
	if err != nil {
		return nil, fmt.Errorf("find a port: %w", err)
	}
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, fmt.Errorf("find a port: %w", err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(p.bin, p.name)) //nolint:gosec // our own program
	if p.name == serialName {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
		cmd = exec.CommandContext(context.WithoutCancel(ctx), self, "serial") //nolint:gosec // this program
	}
	cmd.Env = append([]string{
		"LISTEN_HOST=127.0.0.1", "PORT=" + port, "EVENT_SENDER_SECRET=" + senderSecret, "DATABASE_URL=" + address,
		"DATABASE_MAX_CONNS=" + strconv.Itoa(conns), "REDIS_URL=" + s.redis, "SMTP_URL=" + s.smtp, "MAIL_FROM=Bench <bell@bench.example>",
		"PUBLIC_URL=https://bench.example", "UNSUBSCRIBE_SECRET=" + strings.Repeat("s", 32), "LOG_LEVEL=WARN",
	}, p.env...)
	cmd.Stderr = os.Stderr
	started, err := process.Start(cmd)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	r := &running{Process: started, url: "http://" + listen}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if c, err := (&net.Dialer{}).DialContext(ctx, "tcp", listen); err == nil {
			return r, c.Close() //nolint:wrapcheck // nothing was sent
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			r.Kill()
			return nil, errors.New("the program does not listen")
		}
	}
}

// paidEvent returns a new event of a tenant.
func paidEvent(tenant int) (cloudevents.Event, error) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	ce, err := cloudevent.New(event.Event{
		ID: uuid.Must(uuid.NewV7()).String(), Source: event.Source, Type: event.OrderPaid, Time: now,
		Data: event.Data{
			OrderID: uuid.NewString(), TenantID: fmt.Sprintf("bench-%d", tenant), Status: order.Paid, Reference: "A-1042",
			TotalAmount: 125000, Currency: "IDR", Version: 2, Timestamp: now,
		},
	})
	if err != nil {
		return cloudevents.Event{}, fmt.Errorf("make an event: %w", err)
	}
	return ce, nil
}

// paid returns the request with which a broker delivers a new event of a tenant.
func paid(ctx context.Context, url string, tenant int) (*http.Request, error) {
	ce, err := paidEvent(tenant)
	if err != nil {
		return nil, err
	}
	r, err := cehttp.NewHTTPRequestFromEvent(ctx, url, ce)
	if err != nil {
		return nil, fmt.Errorf("encode an event: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+senderSecret)
	return r, nil
}

// function measures how many events a second a program takes, and what each costs.
func function(p program) func(context.Context, servers, Options) ([]figure, error) {
	return func(ctx context.Context, s servers, o Options) ([]figure, error) {
		address, err := s.empty(ctx, o.Bin)
		if err != nil {
			return nil, err
		}
		return p.measure(ctx, s, o, address, inTurn(tenants))
	}
}

// measure starts the program, warms it up, and measures it with events of tenants.
func (p program) measure(ctx context.Context, s servers, o Options, address string, tenant func(n int) int) ([]figure, error) {
	r, err := p.start(ctx, s, address, o.Conns)
	if err != nil {
		return nil, err
	}
	defer r.stop()
	if _, _, err := r.load(ctx, o.InFlight, o.For/2, tenant); err != nil { // connects everything
		return nil, err
	}
	if err := analyze(ctx, address); err != nil {
		return nil, err
	}
	var events int
	var took *hdrhistogram.Histogram
	name := p.name
	if name == serialName {
		name = filepath.Base(os.Args[0])
	}
	began := time.Now()
	cpu, err := busy(map[string][]string{"program": {name}, "PostgreSQL": {"postgres"}, "Redis": {"redis-server"}}, func() (err error) {
		events, took, err = r.load(ctx, o.InFlight, o.For, tenant)
		return err
	})
	if err != nil {
		return nil, err
	}
	each := func(t time.Duration) float64 { return t.Seconds() * 1000 / float64(events) }
	title := p.title()
	return []figure{
		{perSecond, title, float64(events) / time.Since(began).Seconds(), "/s"},
		{"an event's answer, p50", title, float64(took.ValueAtQuantile(50)) / 1000, "ms"},
		{answerP99, title, float64(took.ValueAtQuantile(99)) / 1000, "ms"},
		{postgresCPU, title, each(cpu["PostgreSQL"]), "ms"},
		{"CPU per event, Redis", title, each(cpu["Redis"]), "ms"},
		{"CPU per event, the function", title, each(cpu["program"]), "ms"},
	}, nil
}

// inTurn gives events to each of many tenants in turn.
func inTurn(many int) func(n int) int { return func(n int) int { return n%many + 1 } }

func (r *running) stop() { _ = r.Stop(10 * time.Second) }

// load sends events of tenants with the given concurrency. It returns how many were accepted, and the response times in microseconds.
func (r *running) load(ctx context.Context, inFlight int, length time.Duration, tenant func(n int) int) (int, *hdrhistogram.Histogram, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: inFlight}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	var mu sync.Mutex
	var failed error
	events, all := 0, hdrhistogram.New(1, time.Minute.Microseconds(), 3)
	var working sync.WaitGroup
	end := time.Now().Add(length)
	for w := range inFlight {
		working.Go(func() {
			mine := hdrhistogram.New(1, time.Minute.Microseconds(), 3)
			n := 0
			var err error
			for ; time.Now().Before(end) && err == nil && ctx.Err() == nil; n++ {
				began := time.Now()
				if err = r.post(ctx, client, tenant(w+n*inFlight)); err == nil {
					err = mine.RecordValue(time.Since(began).Microseconds())
				}
			}
			mu.Lock()
			defer mu.Unlock()
			events += n
			all.Merge(mine)
			failed = errors.Join(failed, err)
		})
	}
	working.Wait()
	return events, all, errors.Join(failed, ctx.Err())
}

func (r *running) post(ctx context.Context, client *http.Client, tenant int) error {
	req, err := paid(ctx, r.url, tenant)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("send an event: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // it is read to its end
	answer, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusAccepted {
		return fmt.Errorf("send an event: %s: %s", res.Status, answer)
	}
	return nil
}

// coldStart measures the time from the start of a process to the answer of its first event.
func coldStart(ctx context.Context, s servers, o Options) ([]figure, error) {
	address, err := s.empty(ctx, o.Bin)
	if err != nil {
		return nil, err
	}
	p := program{name: "order-paid", bin: o.Bin}
	var found []figure
	for range 10 {
		began := time.Now()
		r, err := p.start(ctx, s, address, o.Conns)
		if err != nil {
			return nil, err
		}
		err = r.post(ctx, http.DefaultClient, 1)
		took := time.Since(began)
		r.stop()
		if err != nil {
			return nil, err
		}
		found = append(found, figure{"from exec to the first answer", "order-paid", took.Seconds() * 1000, "ms"})
	}
	return found, nil
}
