package trial

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"orderbell/internal/dev/process"
)

// child is a process that reads and writes lines of JSON.
type child struct {
	*process.Process
	in  io.WriteCloser
	out *bufio.Reader
}

// grace is the time that a child has to stop before it is killed.
const grace = 5 * time.Second

func start(ctx context.Context, env []string, name string, args ...string) (*child, error) {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), name, args...) //nolint:gosec // our own programs
	cmd.Env = env
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p, err := process.Start(cmd)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return &child{Process: p, in: in, out: bufio.NewReader(out)}, nil
}

// tell sends a line to the child.
func (c *child) tell(what any) error {
	if err := json.NewEncoder(c.in).Encode(what); err != nil {
		return fmt.Errorf("write to a child: %w", err)
	}
	return nil
}

// hear waits for a line from the child.
func (c *child) hear(what any) error {
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read from a child: %w", err)
	}
	if err := json.Unmarshal(line, what); err != nil {
		return fmt.Errorf("read from a child: line %q: %w", line, err)
	}
	return nil
}

func (c *child) stop() {
	_ = c.in.Close()
	_ = c.Stop(grace) // it is killed if it must be
}

// ticks is the unit of CPU times in /proc, USER_HZ: 100 on every Linux that Go runs on.
const ticks = 100

// cpu returns the CPU time of a process.
func cpu(pid int) (time.Duration, error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("read CPU time: %w", err)
	}
	// The fields after the name, which may hold anything, begin with the third: utime and stime are 14 and 15 (proc(5)).
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	sum := 0
	for _, i := range []int{14 - 3, 15 - 3} {
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			return 0, fmt.Errorf("read CPU time: %w", err)
		}
		sum += n
	}
	return time.Duration(sum) * time.Second / ticks, nil
}

// resident returns the resident memory of a process in bytes.
func resident(pid int) (int, error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			if err != nil {
				return 0, fmt.Errorf("read memory: %w", err)
			}
			return n << 10, nil
		}
	}
	return 0, errors.New("read memory: no VmRSS")
}
