package opspage

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/google/uuid"

	"orderbell/cmd/orderbell/internal/watch"
	"orderbell/internal/audit"
	"orderbell/internal/event"
	"orderbell/internal/tracing"
)

const (
	// mostSeen bounds the ids that are kept and sent to the database with each query. Beyond it, counting starts again.
	mostSeen = 50_000
	// mostArrivals is larger than the number of traces on the page.
	mostArrivals = 500
)

// sight records the frames that a client of the streams has received.
type sight struct {
	mu       sync.Mutex
	tenants  []string
	ready    map[string]bool
	since    time.Time // by the database's clock; zero: not all streams have opened yet
	loaded   map[string]time.Time
	seen     map[string]bool
	arrivals map[string]time.Time // by trace: when its frame arrived
	order    []string             // traces, the oldest first
	failed   error
}

func newSight(tenants []string) *sight {
	return &sight{
		tenants: tenants, ready: map[string]bool{}, loaded: map[string]time.Time{}, seen: map[string]bool{},
		arrivals: map[string]time.Time{},
	}
}

// saw records a frame of the tenant's stream.
func (s *sight) saw(tenant string, f watch.Frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case f.Reloads(): // this client loads the snapshot now, as a page does: it has all that is committed
		s.loaded[tenant] = f.At
		s.ready[tenant] = true
		return
	case f.Event == "ready":
		s.ready[tenant] = true
		return
	case !event.Type(f.Event).Valid():
		return
	}
	if _, err := uuid.Parse(f.ID); err != nil {
		return // an id of another publisher
	}
	s.seen[f.ID] = true
	var data struct {
		TraceParent string `json:"traceparent"`
	}
	if err := json.Unmarshal(f.Data, &data); err != nil {
		return // it is not an event of the contract; its id counts
	}
	id := tracing.ID(data.TraceParent)
	if _, known := s.arrivals[id]; id == "" || known {
		return
	}
	if len(s.order) >= mostArrivals {
		delete(s.arrivals, s.order[0])
		s.order = s.order[1:]
	}
	s.arrivals[id], s.order = f.At, append(s.order, id)
}

func (s *sight) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
}

// arrived returns when the frame of a trace was received, zero if it was not.
func (s *sight) arrived(trace string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrivals[trace]
}

// forget reports whether counting has to start now: all streams are open for the first time, or too many ids are kept. Then it
// clears the records. beginAt counts the changes after it.
func (s *sight) forget() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ready) < len(s.tenants) || !s.since.IsZero() && len(s.seen) <= mostSeen {
		return false
	}
	s.since, s.seen, s.loaded = time.Time{}, map[string]bool{}, map[string]time.Time{}
	return true
}

// beginAt starts to count the changes since a time, which is after forget.
func (s *sight) beginAt(since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since = since
}

// watched returns the counted events, and the error of a refused stream.
func (s *sight) watched() (audit.Watched, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := audit.Watched{Since: s.since, Tenants: s.tenants, Seen: make([]string, 0, len(s.seen))}
	for _, t := range s.tenants {
		w.Loaded = append(w.Loaded, s.loaded[t])
	}
	for id := range s.seen {
		w.Seen = append(w.Seen, id)
	}
	return w, s.failed
}
