package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"orderbell/cmd/orderbell/internal/devstack"
	"orderbell/cmd/orderbell/internal/watch"
	"orderbell/internal/dev/waittest"
)

// dev is a running `orderbell dev`.
type dev struct {
	cmd    *exec.Cmd
	output *output
	state  devstack.State
	token  string // of demo's owner
}

// output keeps what a command prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// database returns a connection to the stack's database, closed when the test ends.
func (d *dev) database(t *testing.T) *pgx.Conn {
	t.Helper()
	db, err := pgx.Connect(t.Context(), d.state.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	return db
}

// startDev returns when the stack on the data directory is ready.
func startDev(t *testing.T, data string, args ...string) *dev {
	t.Helper()
	d := &dev{output: &output{}}
	d.cmd = orderbell(t, []string{"PORT=0", "LOG_LEVEL=DEBUG"}, append([]string{"dev", "--data", data}, args...)...)
	d.cmd.Stdout, d.cmd.Stderr = d.output, d.output
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if d.cmd.ProcessState == nil { // the test failed before it stopped the stack
			_ = d.cmd.Process.Kill()
			_ = d.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("orderbell dev said:\n%s", d.output)
		}
	})
	waittest.Until(t, "orderbell dev is ready", func() bool { return strings.Contains(d.output.String(), "Orderbell is ready") })
	var err error
	if d.state, err = devstack.ReadState(data); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, status := run(t, nil, "token", "--data", data, "--tenant", "demo", "--email", "owner@demo.example")
	if status != 0 {
		t.Fatalf("orderbell token beside a running stack: %s", stderr)
	}
	d.token = strings.TrimSpace(stdout)
	return d
}

// stop sends sig and returns the exit status.
func (d *dev) stop(t *testing.T, sig syscall.Signal) int {
	t.Helper()
	if err := d.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	err := d.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return d.cmd.ProcessState.ExitCode()
}

func (d *dev) call(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, d.state.Origin+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+d.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(content)
}

// orders returns how many orders demo has.
func (d *dev) orders(t *testing.T) int {
	t.Helper()
	status, body := d.call(t, http.MethodGet, "/api/orders/snapshot", "")
	var page struct {
		Orders []struct{} `json:"orders"`
	}
	if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK {
		t.Fatalf("snapshot: %d %s", status, body)
	}
	return len(page.Orders)
}

// family returns the processes that were started by d's process or by one of those.
func (d *dev) family(t *testing.T) []int {
	t.Helper()
	children := map[int][]int{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range stats {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended since
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:]))
		parent, err := strconv.Atoi(fields[1])
		if err != nil {
			t.Fatal(err)
		}
		children[parent] = append(children[parent], pid)
	}
	var all []int
	for next := []int{d.cmd.Process.Pid}; len(next) > 0; next = next[1:] {
		all = append(all, children[next[0]]...)
		next = append(next, children[next[0]]...)
	}
	return all
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(stat, []byte(") Z "))
}

func expectGone(t *testing.T, pids []int) {
	t.Helper()
	if len(pids) < 9 { // seven programs, Mailpit, PostgreSQL
		t.Errorf("the stack has %d processes, want its programs, Mailpit and PostgreSQL", len(pids))
	}
	for _, pid := range pids {
		waittest.Until(t, fmt.Sprintf("process %d of the stack is gone", pid), func() bool { return !alive(pid) })
	}
}

const newOrder = `{"reference":"A-1","total_amount":1250,"currency":"EUR"}`

func TestDev(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "dev")
	first := startDev(t, data)
	if status, body := first.call(t, http.MethodPost, "/api/orders", newOrder); status != http.StatusCreated {
		t.Fatalf("POST /api/orders: %d %s", status, body)
	}
	if status, body := first.call(t, http.MethodGet, "/dev/users", ""); status != http.StatusOK || !strings.Contains(body, "viewer@kopi.example") {
		t.Errorf("GET /dev/users: %d %s", status, body)
	}

	// A business is created while the stack runs, and its owner can sign in.
	call(t, nil, "tenant", "create", "--data", data, "--name", "Corner Shop", "--owner-email", "ana@shop.example")
	ana := *first
	ana.token = strings.TrimSpace(call(t, nil, "token", "--data", data, "--tenant", "corner-shop", "--email", "ana@shop.example"))
	if status, body := ana.call(t, http.MethodGet, "/api/users", ""); status != http.StatusOK || strings.Count(body, "user_id") != 1 {
		t.Errorf("the new owner's users: %d %s", status, body)
	}

	// A second one is refused, on the same directory and on the same port.
	if _, stderr, status := run(t, []string{"PORT=0"}, "dev", "--data", data); status != 1 || !strings.Contains(stderr, "another orderbell dev") {
		t.Errorf("a second dev on the directory: %d %q", status, stderr)
	}
	_, port, err := net.SplitHostPort(strings.TrimPrefix(first.state.Origin, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := run(t, []string{"PORT=" + port}, "dev", "--data", t.TempDir()); status != 1 || !strings.Contains(stderr, "port "+port+" is in use") {
		t.Errorf("a second dev on the port: %d %q", status, stderr)
	}

	// A crashed program restarts, and the state file has its new process.
	old := first.state.Programs["order-api"].PID
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waittest.Until(t, "order-api runs again", func() bool {
		state, err := devstack.ReadState(data)
		return err == nil && state.Programs["order-api"].PID != 0 && state.Programs["order-api"].PID != old
	})
	if got := first.orders(t); got != 1 { // the origin waits for the program
		t.Errorf("%d orders after the crash, want 1", got)
	}

	waittest.Until(t, "the sweeper is called", func() bool { return strings.Contains(first.output.String(), "msg=swept") })

	family := first.family(t)
	if status := first.stop(t, syscall.SIGINT); status != 0 {
		t.Errorf("exit status %d after Ctrl-C, want 0", status)
	}
	expectGone(t, family)
	if _, err := devstack.ReadState(data); !errors.Is(err, devstack.ErrNotRunning) {
		t.Errorf("ReadState after the stop = %v, want %v", err, devstack.ErrNotRunning)
	}

	// The second start has the data, and its secret verifies the old token. It is killed, which leaves no process either.
	second := startDev(t, data)
	second.token = first.token
	if got := second.orders(t); got != 1 {
		t.Errorf("%d orders at the second start, want 1", got)
	}
	family = second.family(t)
	second.stop(t, syscall.SIGKILL)
	expectGone(t, family)

	// After the kill everything works on the kept data.
	third := startDev(t, data)
	third.followOrder(t)
	if got := third.orders(t); got != 2 {
		t.Errorf("%d orders after a kill and one more, want 2", got)
	}
	third.stop(t, syscall.SIGTERM)

	fourth := startDev(t, data, "--reset")
	if got := fourth.orders(t); got != 0 {
		t.Errorf("%d orders after a reset, want 0", got)
	}
	family = fourth.family(t)
	if status := fourth.stop(t, syscall.SIGTERM); status != 0 {
		t.Errorf("exit status %d after SIGTERM, want 0", status)
	}
	expectGone(t, family)
}

// followOrder creates an order and waits until its event is on the stream.
func (d *dev) followOrder(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	posted := false
	err := watch.Follow(ctx, watch.Options{Origin: d.state.Origin, Token: d.token}, func(f watch.Frame) {
		switch f.Event {
		case "ready":
			if !posted {
				posted = true
				d.call(t, http.MethodPost, "/api/orders", newOrder)
			}
		case "order_created":
			if posted {
				cancel()
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Error("the order did not come to the stream")
	}
}

func TestDevCheck(t *testing.T) {
	t.Parallel()
	stdout, stderr, status := run(t, nil, "dev", "--check")
	if status != 0 {
		t.Fatalf("exit status %d\n%s\n%s", status, stdout, stderr)
	}
	for _, want := range []string{"outbox → Kafka (relay)", "POST → last e-mail accepted", "all is well"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("it does not say %q:\n%s", want, stdout)
		}
	}
}

func TestDevThatIsInterruptedWhileStartingLeavesNothing(t *testing.T) {
	t.Parallel()
	d := &dev{output: &output{}}
	d.cmd = orderbell(t, []string{"PORT=0"}, "dev", "--data", filepath.Join(t.TempDir(), "dev"))
	d.cmd.Stdout, d.cmd.Stderr = d.output, d.output
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waittest.Until(t, "a store runs", func() bool { return strings.Contains(d.output.String(), "✓ mail (Mailpit)") })
	family := d.family(t)
	if status := d.stop(t, syscall.SIGINT); status != 1 || !strings.Contains(d.output.String(), "interrupted while starting") {
		t.Errorf("exit status %d, want 1 and a word that it was interrupted:\n%s", status, d.output)
	}
	for _, pid := range family {
		waittest.Until(t, fmt.Sprintf("process %d is gone", pid), func() bool { return !alive(pid) })
	}
}
