// Package status checks every program, store and queue: all at the same time, each within a limit, so that the report is
// complete in time while parts of the system are down.
package status

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// State is the state of a part.
type State string

// The states. All except OK and NotAsked need attention.
const (
	OK       State = "ok"
	NotReady State = "not ready" // it does not answer, or says that it cannot work
	Late     State = "late"      // a queue that waits for too long, or a verdict that is too old or bad
	Unknown  State = "unknown"   // a part that is needed to check it does not answer
	NotAsked State = "not asked" // its address is not configured
)

// Kind is the kind of a part.
type Kind string

// The kinds, in the order of the report.
const (
	Program Kind = "program"
	Store   Kind = "store"
	Queue   Kind = "queue"
	Audit   Kind = "audit"
)

// Finding is what a probe saw. Its zero value is "well".
type Finding struct {
	Late    string // why a queue or an audit is not as it should be, "" if it is
	Says    string // one line about a part that is well
	Waiting *int64
	Oldest  time.Duration // how long the first of them waits
}

// Probe checks one part.
type Probe struct {
	Kind  Kind
	Name  string
	Needs string // the store that it asks, "" if it is not one of a store's
	// Ask returns its finding. It is nil for a part that cannot be checked; Why says why.
	Ask func(context.Context) (Finding, error)
	Why string
}

// Part is one line of the report.
type Part struct {
	Kind    Kind     `json:"kind"`
	Name    string   `json:"name"`
	State   State    `json:"state"`
	Why     string   `json:"why,omitempty"`
	Waiting *int64   `json:"waiting,omitempty"`
	Oldest  *float64 `json:"oldest_seconds,omitempty"`
	Took    float64  `json:"took_seconds"`
}

// Report has the state of all parts.
type Report struct {
	At    time.Time `json:"at"`
	Well  bool      `json:"well"`
	Parts []Part    `json:"parts"`
}

// Run runs all probes at the same time, each within limit.
func Run(ctx context.Context, limit time.Duration, probes []Probe) Report {
	report := Report{At: time.Now().UTC(), Well: true, Parts: make([]Part, len(probes))}
	var all sync.WaitGroup
	for i, p := range probes {
		all.Go(func() { report.Parts[i] = ask(ctx, limit, p) })
	}
	all.Wait()
	down := map[string]bool{}
	for _, p := range report.Parts {
		if p.Kind == Store && p.State == NotReady {
			down[p.Name] = true
		}
	}
	for i := range report.Parts {
		p := &report.Parts[i]
		// A store that is down is reported once.
		if p.State == NotReady && down[probes[i].Needs] {
			p.State, p.Why = Unknown, probes[i].Needs+" does not answer"
		}
		report.Well = report.Well && (p.State == OK || p.State == NotAsked)
	}
	return report
}

func ask(ctx context.Context, limit time.Duration, probe Probe) Part {
	part := Part{Kind: probe.Kind, Name: probe.Name, State: OK}
	if probe.Ask == nil {
		part.State, part.Why = NotAsked, probe.Why
		return part
	}
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	type answer struct {
		Finding
		err error
	}
	answered := make(chan answer, 1)
	go func() { // if the client ignores its context, this does not wait for it
		f, err := probe.Ask(ctx)
		answered <- answer{f, err}
	}()
	var got answer
	select {
	case got = <-answered:
	case <-ctx.Done():
		got.err = context.Cause(ctx)
	}
	if errors.Is(got.err, context.DeadlineExceeded) && ctx.Err() != nil {
		got.err = context.Cause(ctx)
	}
	part.Took = time.Since(began).Seconds()
	switch {
	case got.err != nil:
		part.State, part.Why = NotReady, got.err.Error()
		return part
	case got.Late != "":
		part.State, part.Why = Late, got.Late
	default:
		part.Why = got.Says
	}
	if part.Waiting = got.Waiting; part.Waiting != nil && *part.Waiting > 0 {
		oldest := got.Oldest.Seconds()
		part.Oldest = &oldest
	}
	return part
}
