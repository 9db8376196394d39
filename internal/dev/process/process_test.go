package process_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderbell/internal/dev/process"
)

// The test binary is the parent that gets killed, if this variable is set.
const parentVariable = "PROCESS_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parentVariable) == "" {
		os.Exit(m.Run())
	}
	child, err := process.Start(exec.CommandContext(context.Background(), "sleep", "1000"))
	if err != nil {
		os.Exit(3)
	}
	_, _ = os.Stdout.WriteString(strconv.Itoa(child.PID()) + "\n")
	<-child.Done()
}

// limit is generous: the machine may be busy.
const limit = 60 * time.Second

func wait(t *testing.T, p *process.Process) {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(limit):
		t.Fatal("the process did not end")
	}
}

func TestProcess(t *testing.T) {
	t.Parallel()
	t.Run("a child that ends by itself reports its exit status", func(t *testing.T) {
		t.Parallel()
		p, err := process.Start(exec.CommandContext(t.Context(), "sh", "-c", "exit 7"))
		if err != nil {
			t.Fatal(err)
		}
		wait(t, p)
		var exit *exec.ExitError
		if !errors.As(p.Err(), &exit) || exit.ExitCode() != 7 {
			t.Errorf("Err() = %v, want exit status 7", p.Err())
		}
	})
	t.Run("a program that does not exist is an error that names it", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "missing")
		if _, err := process.Start(exec.CommandContext(t.Context(), path)); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("Start = %v, want an error that names %s", err, path)
		}
	})
	t.Run("a stop reaches the whole group", func(t *testing.T) {
		t.Parallel()
		out := &lines{first: make(chan string, 1)}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", "sleep 1000 & echo $!; wait")
		cmd.Stdout = out
		p, err := process.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		grandchild := out.pid(t)
		if err := p.Stop(limit); err != nil {
			t.Error(err)
		}
		waitGone(t, grandchild)
	})
	t.Run("a child that ignores SIGTERM is killed after its grace", func(t *testing.T) {
		t.Parallel()
		out := &lines{first: make(chan string, 1)}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", "trap '' TERM; echo 1; while :; do sleep 1; done")
		cmd.Stdout = out
		p, err := process.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		out.pid(t) // the trap is set
		if err := p.Stop(10 * time.Millisecond); err == nil {
			t.Error("Stop returned nil, want the error that it had to kill")
		}
		waitGone(t, p.PID())
	})
}

func TestChildrenDieWithAParentThatIsKilled(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Log("only Linux has a parent-death signal")
		return
	}
	parent := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this very test binary
	parent.Env = append(os.Environ(), parentVariable+"=1")
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if gone(child) {
		t.Fatalf("the child %d does not run", child)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	waitGone(t, child)
}

// waitGone returns when no process has the pid, or only a zombie that init has yet to collect.
func waitGone(t *testing.T, pid int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); <-tick.C {
		if gone(pid) {
			return
		}
	}
	t.Errorf("process %d still runs", pid)
}

func gone(pid int) bool {
	if runtime.GOOS != "linux" {
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	}
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

// lines hands over the first line that a child prints.
type lines struct {
	text  bytes.Buffer
	first chan string
}

func (l *lines) Write(p []byte) (int, error) {
	l.text.Write(p)
	if line, err := l.text.ReadString('\n'); err == nil {
		select {
		case l.first <- line:
		default:
		}
	}
	return len(p), nil
}

func (l *lines) pid(t *testing.T) int {
	t.Helper()
	select {
	case line := <-l.first:
		n, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		return n
	case <-time.After(limit):
		t.Fatal("the child printed no line")
	}
	return 0
}
