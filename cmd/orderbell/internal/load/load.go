// Package load opens many streams at once, as clients do, and reports what they received.
//
// A gap is an event that one client received and another did not. Only events that arrive while all clients are
// connected are counted. Clients that were told to load the snapshot are reported separately.
package load

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"orderbell/cmd/orderbell/internal/watch"
)

// Plan is the number of streams and the duration.
type Plan struct {
	Clients   int
	For       time.Duration // once all are connected
	Settle    time.Duration // extra time for events on their way
	Patience  time.Duration // for all to be connected
	AtOnce    int           // number of simultaneous connects
	Stream    func(client int) watch.Options
	Progress  Progress
	Connected func(ctx context.Context) // run beside the streams while they are measured, may be nil
}

// Progress shows how far the work is.
type Progress interface {
	Begin(what string, total int64) (step func(n int64), end func())
}

// Report is the result of a plan.
type Report struct {
	Clients    int           `json:"clients"`
	Connected  int           `json:"connected"`
	ConnectFor time.Duration `json:"connect_ns"`
	Cuts       int64         `json:"cuts"`       // streams that ended and were opened again
	Overloaded int64         `json:"overloaded"` // answers that asked to come back later
	Refused    int64         `json:"refused"`    // clients that may not watch
	Refusal    string        `json:"refusal,omitempty"`
	Events     int           `json:"events"`
	Deliveries int64         `json:"deliveries"`
	Repeated   int64         `json:"repeated"`
	Resyncs    int64         `json:"resyncs"`
	Gaps       int64         `json:"gaps"`    // missing deliveries
	GapsOf     int           `json:"gaps_of"` // to so many clients
	Measured   time.Duration `json:"measured_ns"`
	Latency    Quantiles     `json:"latency"` // since the order changed
	Spread     Quantiles     `json:"spread"`  // since the first client had the event
}

// Run opens the streams, measures, and closes them. It returns early, with what there is, if ctx ends.
func (p Plan) Run(ctx context.Context) (Report, error) {
	streams, cancel := context.WithCancel(ctx)
	defer cancel()
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // net/http's own
	defer transport.CloseIdleConnections()
	r := &run{Plan: p, transport: transport, gate: make(chan struct{}, p.AtOnce), events: map[string]*happening{}}
	var running sync.WaitGroup
	began := time.Now()
	step, end := p.Progress.Begin("connecting", int64(p.Clients))
	for i := range p.Clients {
		c := &client{run: r, ready: make(chan struct{})}
		r.clients = append(r.clients, c)
		running.Go(func() { c.follow(streams, p.Stream(i), step) })
	}
	connected := r.await(ctx)
	end()
	report := Report{Clients: p.Clients, Connected: connected, ConnectFor: time.Since(began)}
	if connected > 0 {
		r.measure(ctx)
		report.Measured = r.measured
	}
	cancel()
	running.Wait()
	r.sum(&report)
	return report, nil
}

// run is the state of a plan.
type run struct {
	Plan

	transport http.RoundTripper
	gate      chan struct{} // taken by those who connect
	clients   []*client
	measured  time.Duration

	connected, cuts, overloaded, refused, deliveries, repeated, resyncs atomic.Int64
	latency, spread                                                     histogram

	mu      sync.Mutex
	refusal string
	open    bool // new events count
	events  map[string]*happening
	counted int
}

// happening is an event. Its number is below 0 if it arrived before or after the measurement.
type happening struct {
	number int
	first  time.Time
}

// await returns how many clients are connected, when all are or patience ends.
func (r *run) await(ctx context.Context) int {
	over := time.NewTimer(r.Patience)
	defer over.Stop()
	for _, c := range r.clients {
		select {
		case <-c.ready:
		case <-over.C:
			return int(r.connected.Load())
		case <-ctx.Done():
			return int(r.connected.Load())
		}
	}
	return int(r.connected.Load())
}

// measure lets events count for a time.
func (r *run) measure(ctx context.Context) {
	beside, stop := context.WithCancel(ctx)
	defer stop()
	var working sync.WaitGroup
	defer working.Wait()
	r.count(true)
	began := time.Now()
	if r.Connected != nil {
		working.Go(func() { r.Connected(beside) })
	}
	step, end := r.Progress.Begin("streaming (s)", int64(r.For/time.Second))
	second := time.NewTicker(time.Second)
	defer second.Stop()
	over := time.After(r.For)
wait:
	for {
		select {
		case <-second.C:
			step(1)
		case <-over:
			break wait
		case <-ctx.Done():
			break wait
		}
	}
	end()
	stop()
	r.count(false)
	r.measured = time.Since(began)
	select {
	case <-time.After(r.Settle):
	case <-ctx.Done():
	}
}

func (r *run) count(open bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = open
}

// happened returns the state of an event that has just arrived.
func (r *run) happened(id string, at time.Time) happening {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.events[id]
	if h == nil {
		h = &happening{number: -1, first: at}
		if r.open {
			h.number = r.counted
			r.counted++
		}
		r.events[id] = h
	}
	return *h
}

// sum adds up the clients' counts after they have ended.
func (r *run) sum(report *Report) {
	report.Cuts, report.Overloaded, report.Refused = r.cuts.Load(), r.overloaded.Load(), r.refused.Load()
	report.Deliveries, report.Repeated, report.Resyncs = r.deliveries.Load(), r.repeated.Load(), r.resyncs.Load()
	report.Latency, report.Spread = r.latency.quantiles(), r.spread.quantiles()
	report.Events, report.Refusal = r.counted, r.refusal
	for _, c := range r.clients {
		if c.connected && !c.resynced && c.final == nil {
			if missing := r.counted - c.got; missing > 0 {
				report.Gaps += int64(missing)
				report.GapsOf++
			}
		}
	}
}

// Problem returns why the run failed, or "".
func (r Report) Problem() string {
	switch {
	case r.Refused > 0:
		return fmt.Sprintf("%d clients were refused: %s", r.Refused, r.Refusal)
	case r.Connected < r.Clients:
		return fmt.Sprintf("%d of %d clients did not connect", r.Clients-r.Connected, r.Clients)
	case r.Gaps > 0:
		return fmt.Sprintf("%d deliveries to %d clients did not arrive", r.Gaps, r.GapsOf)
	}
	return ""
}
