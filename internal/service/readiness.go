package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"orderbell/internal/backoff"
)

// Check is one condition of readiness. An error of Probe with Permanent() true ends the program, because waiting would
// not help.
type Check struct {
	Name  string
	Probe func(context.Context) error
}

// Detail reports trouble that does not make the program unready: its text is in the answer to a readiness probe, which
// is still a success. Say returns "" without trouble.
type Detail struct {
	Name string
	Say  func() string
}

// readiness has the last results of the checks.
type readiness struct {
	checks  []Check
	details []Detail
	mu      sync.Mutex
	reason  string // why the program is not ready; "" before the first check and while it is ready
}

// Ready adds conditions of readiness. Call it before Serve.
func (s *Service) Ready(checks ...Check) { s.readiness.checks = append(s.readiness.checks, checks...) }

// Report adds details to readiness. Call it before Serve.
func (s *Service) Report(details ...Detail) {
	s.readiness.details = append(s.readiness.details, details...)
}

const (
	// probeTimeout is below Kubernetes's default probe timeout of one second.
	probeTimeout = 900 * time.Millisecond
	// lookAgain is the interval of checks while a program is not ready, independent of probes.
	lookAgain = 2 * time.Second
)

// probe runs the checks, and logs when the result changes.
func (s *Service) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var failed error
	for _, c := range s.readiness.checks {
		if err := c.Probe(ctx); err != nil {
			failed = fmt.Errorf("%s: %w", c.Name, err)
			break
		}
	}
	s.readiness.mu.Lock()
	was, is := s.readiness.reason, ""
	if failed != nil {
		is = failed.Error()
	}
	s.readiness.reason = is
	s.readiness.mu.Unlock()
	switch {
	case failed != nil && was == "":
		s.Log.WarnContext(ctx, "not ready", "err", failed)
	case failed == nil && was != "":
		s.Log.InfoContext(ctx, "ready again")
	}
	return failed
}

// becomeReady repeats the checks until all have passed once. A permanent error is sent to refused.
func (s *Service) becomeReady(ctx context.Context, refused chan<- error) {
	for ctx.Err() == nil {
		err := s.probe(ctx)
		var permanent interface{ Permanent() bool }
		switch {
		case err == nil:
			return
		case errors.As(err, &permanent) && permanent.Permanent():
			refused <- err
			return
		}
		backoff.Sleep(ctx, lookAgain)
	}
}

func (s *Service) serveReady(w http.ResponseWriter, r *http.Request) {
	if s.Draining() {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	if err := s.probe(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	var said strings.Builder
	for _, d := range s.readiness.details {
		if text := d.Say(); text != "" {
			fmt.Fprintf(&said, "%s: %s\n", d.Name, text)
		}
	}
	if said.Len() == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, said.String()) // fails only if the prober is gone
}
