package load

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"orderbell/cmd/orderbell/internal/watch"
	"orderbell/internal/backoff"
	"orderbell/internal/event"
	"orderbell/internal/paths"
)

// OrderPlan says which orders to create and how to watch them.
type OrderPlan struct {
	Origin   string
	Tenants  []string // orders go to each in turn
	Rate     float64  // orders per second over all tenants; 0: a spike, as fast as they are answered
	Orders   int      // how many orders
	Pay      bool     // pay each order as soon as it is created
	Blind    bool     // only send: open no stream and await no event, so that a run works while the gateway is down
	InFlight int      // how many requests may be open at the same time
	Patience time.Duration
	Token    func(tenant string) (string, error)
	Unsent   func(context.Context) (int64, error) // events in the outbox; nil if the database is out of reach
	Progress Progress
}

// OrderReport is the result of an [OrderPlan]. Rates are per second.
type OrderReport struct {
	Tenants  int            `json:"tenants"`
	Planned  int            `json:"planned_requests"`
	Accepted int            `json:"accepted_requests"` // each makes one event
	Refused  map[string]int `json:"refused,omitempty"` // by status and code, or "no answer"
	Sent     time.Duration  `json:"sent_ns"`           // from the first request to the last answer
	Drained  time.Duration  `json:"drained_ns"`        // from the last answer to the last event on a screen
	Missing  int            `json:"missing_events"`    // accepted, but not seen on a screen in time
	Reloaded int            `json:"reloaded_events"`   // not on a stream that was told to load the snapshot, which has them
	Late     Quantiles      `json:"late"`              // from the planned moment of a request to its start
	Answer   Quantiles      `json:"answer"`            // from the start of a request to its answer
	Visible  Quantiles      `json:"visible"`           // from the start of a request to its event on the screen
	Shown    Quantiles      `json:"shown"`             // from the start of a request to the order on the screen, before its event or with it
	Queue    int            `json:"queue_events"`      // the most events accepted and not yet on a screen
	Unsent   int64          `json:"unsent_events"`     // the most events in the outbox; -1: not known
	Resyncs  int64          `json:"resyncs"`           // times that a stream was told to load the snapshot
	Limit    string         `json:"bottleneck"`        // see [OrderReport.Bottleneck]
	Seconds  []Second       `json:"seconds"`
}

// Second is one second of a run.
type Second struct {
	Accepted int   `json:"accepted"`
	Seen     int   `json:"seen"`
	Queue    int   `json:"queue"`  // at its end
	Unsent   int64 `json:"unsent"` // at its end; -1: not known
}

// orderRun is the state of an [OrderPlan].
type orderRun struct {
	OrderPlan

	client *http.Client
	tokens map[string]string
	began  time.Time

	late, answer, visible, shown histogram

	mu       sync.Mutex
	report   OrderReport
	events   map[string]*passage
	resynced map[string]time.Time // by tenant: when its stream was last told to load the snapshot
	open     int                  // accepted, not yet seen
	lastSeen time.Time
	settled  chan struct{} // closed when all requests are answered and all accepted events are seen
	sent     bool
}

// passage is the path of one event.
type passage struct {
	tenant        string
	started, seen time.Time
	shown         time.Time // no later than seen
}

// Run creates the orders, waits for their events, and reports. If ctx ends, it returns the partial report.
func (p OrderPlan) Run(ctx context.Context) (OrderReport, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // net/http's own
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, p.InFlight
	defer transport.CloseIdleConnections()
	r := &orderRun{
		OrderPlan: p, client: &http.Client{Transport: transport, Timeout: p.Patience}, tokens: map[string]string{},
		events: map[string]*passage{}, resynced: map[string]time.Time{}, settled: make(chan struct{}),
		report: OrderReport{Tenants: len(p.Tenants), Refused: map[string]int{}, Unsent: -1},
	}
	for _, tenant := range p.Tenants {
		token, err := p.Token(tenant)
		if err != nil {
			return OrderReport{}, err
		}
		r.tokens[tenant] = token
	}
	streams, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	if !p.Blind {
		if err := r.watchAll(streams, &running); err != nil {
			return OrderReport{}, err
		}
	}
	r.mu.Lock()
	r.began = time.Now()
	r.mu.Unlock()
	running.Go(func() { r.sample(streams) })
	r.send(ctx)
	if !p.Blind {
		r.await(ctx)
	}
	stop()
	running.Wait()
	return r.sum(), nil
}

// watchAll opens a stream of each tenant and returns when all are open.
func (r *orderRun) watchAll(ctx context.Context, running *sync.WaitGroup) error {
	ready := make(chan error, 2*len(r.Tenants))
	step, end := r.Progress.Begin("connecting", int64(len(r.Tenants)))
	defer end()
	for _, tenant := range r.Tenants {
		once := sync.OnceFunc(func() { ready <- nil })
		running.Go(func() {
			o := watch.Options{Origin: r.Origin, Token: r.tokens[tenant], Transport: r.client.Transport}
			err := watch.Follow(ctx, o, func(f watch.Frame) {
				if f.Event == "ready" {
					once()
				}
				r.saw(tenant, f)
			})
			if err != nil {
				ready <- fmt.Errorf("tenant %s: %w", tenant, err)
			}
		})
	}
	over := time.After(r.Patience)
	for range r.Tenants {
		select {
		case err := <-ready:
			if err != nil {
				return err
			}
			step(1)
		case <-over:
			return fmt.Errorf("the streams of %d tenants did not open within %s", len(r.Tenants), r.Patience)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// send creates all orders at their planned times.
func (r *orderRun) send(ctx context.Context) {
	step, end := r.Progress.Begin("orders", int64(r.Orders))
	defer end()
	places := make(chan struct{}, r.InFlight)
	var sending sync.WaitGroup
	for i := range r.Orders {
		due := time.Now()
		if r.Rate > 0 {
			due = r.began.Add(time.Duration(float64(i) / r.Rate * float64(time.Second)))
			backoff.Sleep(ctx, time.Until(due))
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		r.late.add(time.Since(due))
		sending.Go(func() {
			defer func() { <-places; step(1) }()
			r.order(ctx, r.Tenants[i%len(r.Tenants)])
		})
	}
	sending.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Sent = time.Since(r.began)
	r.sent = true
	r.settle()
}

// order creates an order and pays it.
func (r *orderRun) order(ctx context.Context, tenant string) {
	id, ok := r.request(ctx, tenant, event.OrderCreated, "", paths.Orders, `{"reference":"load","total_amount":100,"currency":"EUR"}`)
	if ok && r.Pay {
		r.request(ctx, tenant, event.OrderPaid, id, paths.Pay(id), "")
	}
}

// request sends one request and returns the order's id. An accepted one has an event of type kind.
func (r *orderRun) request(ctx context.Context, tenant string, kind event.Type, id, path, body string) (string, bool) {
	started := time.Now()
	id, err := r.post(ctx, tenant, id, path, body)
	if ctx.Err() != nil {
		return "", false // broken off
	}
	r.answer.add(time.Since(started))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Planned++
	if err != nil {
		r.report.Refused[err.Error()]++
		return "", false
	}
	r.report.Accepted++
	r.second().Accepted++
	p := r.passage(tenant, id, kind)
	p.started = started
	if !p.shown.IsZero() {
		r.shown.add(p.shown.Sub(started))
	}
	if p.seen.IsZero() {
		r.open++
		r.report.Queue = max(r.report.Queue, r.open)
	} else {
		r.visible.add(p.seen.Sub(started))
	}
	return id, true
}

// saw records that an event reached the screen of the tenant.
func (r *orderRun) saw(tenant string, f watch.Frame) {
	if f.Reloads() {
		r.reload(tenant, f.At)
	}
	kind, early := event.Type(f.Event), f.Event == "order_committed"
	if !early && !kind.Valid() {
		return
	}
	var data event.Data
	if err := json.Unmarshal(f.Data, &data); err != nil {
		return // never seen, so it will be missing
	}
	if early {
		kind = data.Type()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.passage(tenant, data.OrderID, kind)
	if p.shown.IsZero() {
		p.shown = f.At
		if !p.started.IsZero() {
			r.shown.add(p.shown.Sub(p.started))
		}
	}
	if early || !p.seen.IsZero() {
		return
	}
	p.seen, r.lastSeen = f.At, f.At
	r.second().Seen++
	if p.started.IsZero() {
		return // its answer is still on its way
	}
	r.visible.add(p.seen.Sub(p.started))
	r.open--
	r.settle()
}

// reload counts the tenant's accepted events as seen: the snapshot that its screen loads now has them.
func (r *orderRun) reload(tenant string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.began.IsZero() {
		return // the first ready of a new stream
	}
	r.report.Resyncs++
	r.resynced[tenant] = at
	for _, p := range r.events {
		if p.tenant == tenant && !p.started.IsZero() && p.seen.IsZero() {
			p.seen = at
			r.report.Reloaded++
			r.open--
		}
	}
	r.settle()
}

// passage returns the path of an event. The caller holds mu, as for all below.
func (r *orderRun) passage(tenant, id string, kind event.Type) *passage {
	key := id + string(kind)
	p := r.events[key]
	if p == nil {
		p = &passage{tenant: tenant}
		r.events[key] = p
	}
	return p
}

func (r *orderRun) settle() {
	if !r.sent || r.open > 0 {
		return
	}
	select {
	case <-r.settled:
	default:
		close(r.settled)
	}
}

// second returns the entry of the present second.
func (r *orderRun) second() *Second {
	at := int(time.Since(r.began) / time.Second)
	for len(r.report.Seconds) <= at {
		r.report.Seconds = append(r.report.Seconds, Second{Queue: r.open, Unsent: -1})
	}
	return &r.report.Seconds[at]
}

// await waits for the events under way.
func (r *orderRun) await(ctx context.Context) {
	_, end := r.Progress.Begin("waiting for events", -1)
	defer end()
	select {
	case <-r.settled:
	case <-time.After(r.Patience):
	case <-ctx.Done():
	}
}

// sample reads the queues every second.
func (r *orderRun) sample(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		unsent := int64(-1)
		if r.Unsent != nil {
			if n, err := r.Unsent(ctx); err == nil {
				unsent = n
			}
		}
		r.mu.Lock()
		s := r.second()
		s.Queue, s.Unsent = r.open, unsent
		r.report.Unsent = max(r.report.Unsent, unsent)
		r.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (r *orderRun) sum() OrderReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	report := r.report
	for _, p := range r.events {
		switch {
		case r.Blind || p.started.IsZero() || !p.seen.IsZero():
		case p.started.Before(r.resynced[p.tenant]): // the snapshot may have it: it was committed before its answer
			report.Reloaded++
		default:
			report.Missing++
		}
	}
	if end := r.began.Add(report.Sent); r.lastSeen.After(end) {
		report.Drained = r.lastSeen.Sub(end)
	}
	report.Late, report.Answer, report.Visible, report.Shown = r.late.quantiles(), r.answer.quantiles(), r.visible.quantiles(), r.shown.quantiles()
	report.Limit = report.Bottleneck()
	return report
}
