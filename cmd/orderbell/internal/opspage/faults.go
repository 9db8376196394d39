package opspage

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"orderbell/internal/backoff"
	"orderbell/internal/problem"
)

// Part is what a user may break.
type Part struct {
	Name   string // redis, smtp, function
	Title  string // within a sentence
	Why    string // why it cannot be broken here; "" if it can
	Break  func()
	Repair func() error
	Ready  func(context.Context) error // nil error once it serves again
}

// The states of a part.
const (
	up        = "up"
	broken    = "broken"
	repairing = "repairing"
)

// Fault is the state of a [Part].
type Fault struct {
	Name      string     `json:"name"`
	Title     string     `json:"title"`
	State     string     `json:"state"` // up, broken or repairing
	Why       string     `json:"why,omitempty"`
	RepairsAt *time.Time `json:"repairs_at,omitempty"` // of a broken part: by then it repairs itself
}

// faults breaks parts and repairs them, each after a while at most.
type faults struct {
	most   time.Duration
	log    *slog.Logger
	ctx    context.Context //nolint:containedctx // of repairs, which outlive requests
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu    sync.Mutex
	parts []*breakable
}

type breakable struct {
	Part

	state  string
	until  time.Time
	repair chan struct{} // closed to repair a broken part before its time
}

func newFaults(parts []Part, most time.Duration, log *slog.Logger) *faults {
	ctx, cancel := context.WithCancel(context.Background())
	f := &faults{most: most, log: log, ctx: ctx, cancel: cancel}
	for _, p := range parts {
		f.parts = append(f.parts, &breakable{Part: p, state: up})
	}
	return f
}

// list returns the state of each part.
func (f *faults) list() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Fault, len(f.parts))
	for i, p := range f.parts {
		all[i] = Fault{Name: p.Name, Title: p.Title, State: p.state, Why: p.Why}
		if p.state == broken {
			all[i].RepairsAt = &p.until
		}
	}
	return all
}

// find returns a part in the wanted state. The caller holds mu.
func (f *faults) find(name, want string) (*breakable, error) {
	for _, p := range f.parts {
		switch {
		case p.Name != name:
		case p.Why != "":
			return nil, problem.New(http.StatusConflict, "%s cannot be broken here: %s", p.Title, p.Why)
		case p.state != want:
			return nil, problem.New(http.StatusConflict, "%s is %s, want it %s", p.Title, p.state, want)
		default:
			return p, nil
		}
	}
	return nil, problem.Field("part", "%q is not a part that can be broken", name)
}

// breakPart breaks a part that is up.
func (f *faults) breakPart(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.find(name, up)
	if err != nil {
		return err
	}
	if f.ctx.Err() != nil {
		return problem.New(http.StatusServiceUnavailable, "orderbell dev is stopping")
	}
	p.Break()
	f.log.Info("broken by the operations page", "part", p.Name, "repairs_within", f.most)
	p.state, p.until, p.repair = broken, time.Now().UTC().Add(f.most), make(chan struct{})
	f.work.Go(func() { f.mend(p, p.repair) })
	return nil
}

// repairPart repairs a broken part now.
func (f *faults) repairPart(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.find(name, broken)
	if err != nil {
		return err
	}
	p.state = repairing
	close(p.repair)
	return nil
}

// repairAgain is the pause between two attempts to repair a part, and between two checks that it is ready.
const repairAgain = 100 * time.Millisecond

// mend repairs p when told receives, when the fault's time is over, or when f is closed.
func (f *faults) mend(p *breakable, told <-chan struct{}) {
	timer := time.NewTimer(f.most)
	defer timer.Stop()
	select {
	case <-told:
	case <-timer.C:
	case <-f.ctx.Done():
	}
	f.set(p, repairing)
	for {
		err := p.Repair()
		if err == nil {
			break
		}
		f.log.Warn("not repaired yet", "part", p.Name, "err", err)
		if !backoff.Sleep(f.ctx, repairAgain) {
			return
		}
	}
	for p.Ready(f.ctx) != nil {
		if !backoff.Sleep(f.ctx, repairAgain) {
			return
		}
	}
	f.log.Info("repaired by the operations page", "part", p.Name)
	f.set(p, up)
}

func (f *faults) set(p *breakable, state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.state = state
}

// close repairs what is broken, without waiting until it is ready.
func (f *faults) close() {
	f.cancel()
	f.work.Wait()
}
