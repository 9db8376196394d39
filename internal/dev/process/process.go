// Package process runs child programs that never outlive their parent: each one leads its own process group, a stop
// reaches the whole group, and on Linux the kernel kills the child when the parent dies, even by kill -9.
package process

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a child that was started.
type Process struct {
	pid  int
	done chan struct{}
	err  error // written before done is closed
}

// outputGrace is how long the output of an ended child is still read: its own children may hold the pipe open.
const outputGrace = 500 * time.Millisecond

// Start starts cmd. Its own process group keeps a terminal's Ctrl-C from it, so that the parent decides the order in
// which children stop. The caller must not call cmd.Wait.
func Start(cmd *exec.Cmd) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	dieWithParent(cmd.SysProcAttr)
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = outputGrace
	}
	p := &Process{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The parent-death signal is bound to the thread that forks, not to the process (prctl(2)): this thread must
		// live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- fmt.Errorf("start %s: %w", cmd.Path, err)
			return
		}
		p.pid = cmd.Process.Pid
		started <- nil
		if p.err = cmd.Wait(); errors.Is(p.err, exec.ErrWaitDelay) {
			p.err = nil
		}
		p.signal(syscall.SIGKILL) // processes that the child started
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// PID is the child's process id, and the id of its group.
func (p *Process) PID() int { return p.pid }

// Done is closed when the child has ended and been waited for.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the child ended: nil for exit status 0. It is valid once Done is closed.
func (p *Process) Err() error { return p.err }

// Stop asks the group to end by SIGTERM, kills it after grace, and returns when the child is gone. Its error says that
// it had to kill.
func (p *Process) Stop(grace time.Duration) error { return p.StopWith(syscall.SIGTERM, grace) }

// StopWith is [Process.Stop] with another first signal.
func (p *Process) StopWith(sig syscall.Signal, grace time.Duration) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	p.signal(sig)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	p.Kill()
	<-p.done
	return fmt.Errorf("process %d did not stop within %s and was killed", p.pid, grace)
}

// Kill ends the group at once.
func (p *Process) Kill() { p.signal(syscall.SIGKILL) }

func (p *Process) signal(sig syscall.Signal) {
	// ESRCH: the group is gone already.
	if err := syscall.Kill(-p.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		_ = syscall.Kill(p.pid, sig)
	}
}
