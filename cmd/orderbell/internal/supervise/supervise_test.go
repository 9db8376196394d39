package supervise_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"orderbell/cmd/orderbell/internal/supervise"
)

// limit is generous: the machine may be busy.
const limit = 60 * time.Second

type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) LastWords() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(l.text.String())
}

func shell(script string, l *log) supervise.Program {
	return supervise.Program{
		Name: "shell", Path: "/bin/sh", Args: []string{"-c", script}, Env: os.Environ(),
		Grace: limit, Pause: time.Millisecond, Log: l,
	}
}

func TestACrashedProgramStartsAgain(t *testing.T) {
	t.Parallel()
	pids := make(chan int, 100)
	var r *supervise.Running
	created := make(chan struct{})
	r = supervise.Start(shell("exec sleep 1000", &log{}), func() {
		<-created
		if pid := r.PID(); pid != 0 {
			pids <- pid
		}
	})
	close(created)
	first := receive(t, pids)
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := receive(t, pids)
	if first == second {
		t.Errorf("the process id is %d before and after the crash", first)
	}
	if err := r.Stop(); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(second, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d after Stop: %v, want it gone", second, err)
	}
}

func TestAHeldProgramStaysDownUntilItIsReleased(t *testing.T) {
	t.Parallel()
	pids := make(chan int, 100)
	var r *supervise.Running
	created := make(chan struct{})
	said := &log{}
	r = supervise.Start(shell("exec sleep 1000", said), func() {
		<-created
		pids <- r.PID()
	})
	close(created)
	first := receive(t, pids)
	r.Hold()
	r.Hold() // changes nothing
	if pid := receive(t, pids); pid != 0 {
		t.Errorf("process %d after Hold, want none", pid)
	}
	if err := syscall.Kill(first, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d after Hold: %v, want it gone", first, err)
	}
	select {
	case pid := <-pids:
		t.Errorf("process %d has started although the program is held", pid)
	case <-time.After(100 * time.Millisecond): // a hundred of its pauses
	}
	r.Release()
	second := receive(t, pids)
	if second == 0 || second == first {
		t.Errorf("process %d after Release, want a new one", second)
	}
	r.Hold()
	receive(t, pids)
	if err := r.Stop(); err != nil { // while it is held
		t.Error(err)
	}
	if text := said.LastWords(); strings.Contains(text, "starts again") || !strings.Contains(text, "is kept down") {
		t.Errorf("it said %q", text)
	}
}

func receive(t *testing.T, pids <-chan int) int {
	t.Helper()
	select {
	case pid := <-pids:
		return pid
	case <-time.After(limit):
		t.Fatal("the program did not start")
	}
	return 0
}

func TestWaitReady(t *testing.T) {
	t.Parallel()
	t.Run("it returns when the probe does", func(t *testing.T) {
		t.Parallel()
		marker := filepath.Join(t.TempDir(), "ready")
		p := shell("touch "+strconv.Quote(marker)+"; exec sleep 1000", &log{})
		p.Ready = func(context.Context) error { _, err := os.Stat(marker); return err }
		r := supervise.Start(p, nil)
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		if err := r.WaitReady(ctx); err != nil {
			t.Error(err)
		}
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Run("a program that cannot start is given up with its last words", func(t *testing.T) {
		t.Parallel()
		p := shell("echo DATABASE_URL is empty >&2; exit 1", &log{})
		p.Ready = func(context.Context) error { return errors.New("connection refused") }
		r := supervise.Start(p, nil)
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		err := r.WaitReady(ctx)
		if err == nil || !strings.Contains(err.Error(), "DATABASE_URL is empty") || !strings.Contains(err.Error(), "3 times") {
			t.Errorf("WaitReady = %v, want the last words of a program that ended 3 times", err)
		}
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Run("a missing program is given up too", func(t *testing.T) {
		t.Parallel()
		p := shell("", &log{})
		p.Path = filepath.Join(t.TempDir(), "order-api")
		r := supervise.Start(p, nil)
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		if err := r.WaitReady(ctx); err == nil || !strings.Contains(err.Error(), p.Path) {
			t.Errorf("WaitReady = %v, want an error that names %s", err, p.Path)
		}
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Run("it ends with its context", func(t *testing.T) {
		t.Parallel()
		p := shell("exec sleep 1000", &log{})
		p.Ready = func(context.Context) error { return errors.New("redis: no route") }
		r := supervise.Start(p, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := r.WaitReady(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitReady = %v, want the context's error", err)
		}
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestStopKillsWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	l := &log{}
	p := shell("trap '' TERM; echo trapped; while :; do sleep 1; done", l)
	p.Grace = 10 * time.Millisecond
	p.Ready = func(context.Context) error {
		if l.LastWords() == "" {
			return errors.New("not trapped yet")
		}
		return nil
	}
	r := supervise.Start(p, nil)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := r.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	pid := r.PID()
	if err := r.Stop(); err == nil {
		t.Error("Stop returned nil, want the error that it had to kill")
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d after Stop: %v, want it gone", pid, err)
	}
}
