// Package supervise keeps child programs running: it restarts a crashed program after a pause that grows with each
// crash, and no process survives a stop.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"

	"orderbell/internal/backoff"
	"orderbell/internal/dev/process"
)

// Program is a command and its restart policy.
type Program struct {
	Name  string
	Path  string
	Args  []string
	Env   []string                    // the whole environment, NAME=value
	Ready func(context.Context) error // nil error once the program serves; a nil func means at once
	Grace time.Duration               // from SIGTERM to SIGKILL
	Pause time.Duration               // before the first restart; 0 is [DefaultPause]
	Log   Log
}

// Log receives a program's output and keeps the last lines.
type Log interface {
	io.Writer
	LastWords() string
}

const (
	// DefaultPause is long enough for a port to be released, and too short to notice.
	DefaultPause = 200 * time.Millisecond
	// longestPause keeps a program that cannot start from filling the terminal.
	longestPause = 5 * time.Second
	// settled is how long a program must run for its next crash to count as a first one.
	settled = 10 * time.Second
	// triesToStart is the number of times that a program may end before it is ready for the first time.
	triesToStart = 3
)

// Running is a program under supervision.
type Running struct {
	program  Program
	changed  func()
	stop     context.CancelFunc
	done     chan struct{}
	hopeless chan struct{} // closed when the program has ended triesToStart times

	mu      sync.Mutex
	child   *process.Process // nil while it is down
	ready   bool
	ends    int           // since the start, or since it was ready
	held    chan struct{} // closed by Release; nil while the program may run
	lastErr error
	words   string // the last ones of the process that ended last
	stopErr error
}

// Start runs p until Stop. changed is called after each start and end of the program's process; it may be nil.
func Start(p Program, changed func()) *Running {
	if p.Pause == 0 {
		p.Pause = DefaultPause
	}
	if changed == nil {
		changed = func() {}
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &Running{program: p, changed: changed, stop: stop, done: make(chan struct{}), hopeless: make(chan struct{})}
	go r.run(ctx)
	return r
}

// Name is the program's name.
func (r *Running) Name() string { return r.program.Name }

// PID is the process id now, 0 while the program is down.
func (r *Running) PID() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.child == nil {
		return 0
	}
	return r.child.PID()
}

func (r *Running) run(ctx context.Context) {
	defer close(r.done)
	again := backoff.New(r.program.Pause, longestPause)
	for ctx.Err() == nil {
		began := time.Now()
		err := r.runOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > settled {
			again.Reset()
		}
		if r.awaitRelease(ctx) {
			again.Reset()
			continue
		}
		r.noteEnd(err)
		pause := again.Next()
		_, _ = fmt.Fprintf(r.program.Log, "ended (%s), starts again in %s\n", describe(err), pause.Round(time.Millisecond))
		backoff.Sleep(ctx, pause)
	}
}

// runOnce starts the program and returns when it has ended, by itself or because ctx ended.
func (r *Running) runOnce(ctx context.Context) error {
	cmd := exec.Command(r.program.Path, r.program.Args...) //nolint:gosec,noctx // programs beside our own; Stop ends them in order
	cmd.Env = r.program.Env
	cmd.Stdout, cmd.Stderr = r.program.Log, r.program.Log
	child, err := process.Start(cmd)
	if err != nil {
		return err
	}
	r.setChild(child)
	defer r.setChild(nil)
	select {
	case <-child.Done():
		return child.Err()
	case <-ctx.Done():
	}
	err = child.Stop(r.program.Grace)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.stopErr = fmt.Errorf("%s: %w", r.program.Name, err)
	}
	return nil
}

func (r *Running) setChild(child *process.Process) {
	r.mu.Lock()
	r.child = child
	if child != nil && r.held != nil {
		child.Kill() // it was being started when Hold was called
	}
	r.mu.Unlock()
	r.changed()
}

// Hold kills the program, as a crash does, and keeps it down until [Running.Release].
func (r *Running) Hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held == nil {
		r.held = make(chan struct{})
	}
	if r.child != nil {
		r.child.Kill()
	}
}

// Release lets the program start again after [Running.Hold].
func (r *Running) Release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held != nil {
		close(r.held)
		r.held = nil
	}
}

// awaitRelease returns true once a held program may run again, or ctx has ended. It returns false if the program is not held.
func (r *Running) awaitRelease(ctx context.Context) bool {
	r.mu.Lock()
	held := r.held
	r.mu.Unlock()
	if held == nil {
		return false
	}
	_, _ = fmt.Fprintln(r.program.Log, "is kept down")
	select {
	case <-held:
	case <-ctx.Done():
	}
	return true
}

func (r *Running) noteEnd(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastErr, r.words = err, r.program.Log.LastWords()
	if r.ends++; r.ends == triesToStart && !r.ready {
		close(r.hopeless)
	}
}

func describe(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// pollEvery is the interval of readiness requests.
const pollEvery = 10 * time.Millisecond

// WaitReady returns nil when the program is ready. It fails when ctx ends or the program keeps ending; the error has
// the program's last lines.
func (r *Running) WaitReady(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var unready error
	for {
		if r.PID() != 0 {
			if r.program.Ready == nil {
				return r.noteReady()
			}
			if unready = r.program.Ready(ctx); unready == nil {
				return r.noteReady()
			}
		}
		select {
		case <-r.hopeless:
			r.mu.Lock()
			defer r.mu.Unlock()
			return fmt.Errorf("%s ended %d times before it was ready (%s); its last words:\n%s",
				r.program.Name, triesToStart, describe(r.lastErr), r.words)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", r.program.Name, errors.Join(ctx.Err(), unready))
		case <-tick.C:
		}
	}
}

func (r *Running) noteReady() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ready = true
	return nil
}

// Stop ends the program and returns when all of its processes have ended. Its error says that it had to be killed.
func (r *Running) Stop() error {
	r.stop()
	<-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopErr
}
