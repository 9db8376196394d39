package events

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"orderbell/internal/dev/embedded"
	"orderbell/internal/dev/process"
)

// programs are the programs whose CPU time is measured, with the names of their processes.
func programs() map[string][]string {
	all := map[string][]string{"PostgreSQL": {"postgres"}, "Redis": {"redis-server"}, "Kafka": {"java"}, "orderbell dev (broker, front end)": {"orderbell"}}
	for _, name := range []string{"order-api", "user-api", "outbox-relay", "order-created", "order-paid", "order-status-updated", "delivery-sweeper", "sse-gateway"} {
		all[name] = []string{name}
	}
	return all
}

// report is the output of orderbell load orders.
type report struct {
	Accepted int      `json:"accepted_requests"`
	Queue    int      `json:"queue_events"`
	Visible  quantile `json:"visible"`
}

type quantile struct {
	P50 time.Duration `json:"p50_ns"`
	P99 time.Duration `json:"p99_ns"`
}

// together starts all programs on the real servers, and measures from the POST of an order to its client.
func together(ctx context.Context, s servers, o Options) ([]figure, error) {
	address, err := s.empty(ctx, o.Bin)
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp("", "orderbell-bench")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(data) //nolint:errcheck // a temporary folder
	env, dev, err := startAll(ctx, s, o, address, data)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dev.Stop(time.Minute) }()
	load := func(rate int, length time.Duration) (report, error) {
		cmd := exec.CommandContext(ctx, filepath.Join(o.Bin, "orderbell"), "load", "orders", "--data", data, "--json", "--pay=false", //nolint:gosec // our own program
			"--tenant", "demo,bench-1,bench-2,bench-3,bench-4", "--rate", fmt.Sprint(rate), "--for", length.String())
		cmd.Env = env
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return report{}, fmt.Errorf("orderbell load orders: %w\n%s", err, out)
		}
		var r report
		if err := json.Unmarshal(out, &r); err != nil {
			return report{}, fmt.Errorf("orderbell load orders: %w", err)
		}
		return r, nil
	}
	if _, err := load(300, o.For); err != nil { // starts the functions
		return nil, err
	}
	if err := analyze(ctx, address); err != nil {
		return nil, err
	}
	var found []figure
	for _, rate := range []int{10, 100, 300, 1000} {
		var r report
		cpu, err := busy(programs(), func() (err error) {
			r, err = load(rate, o.For)
			return err
		})
		if err != nil {
			return nil, err
		}
		of := fmt.Sprintf("%d orders a second", rate)
		found = append(found,
			figure{"from POST to client, p50", of, r.Visible.P50.Seconds() * 1000, "ms"},
			figure{"from POST to client, p99", of, r.Visible.P99.Seconds() * 1000, "ms"},
			figure{"events in transit at most", of, float64(r.Queue), ""})
		if rate != 300 {
			continue
		}
		for name, t := range cpu {
			found = append(found, figure{"CPU per order at 300 a second", name, t.Seconds() * 1000 / float64(max(r.Accepted, 1)), "ms"})
		}
	}
	idle, err := busy(programs(), func() error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(o.For, 5*time.Second)):
			return nil
		}
	})
	if err != nil {
		return nil, err
	}
	for name, t := range idle {
		found = append(found, figure{"CPU without orders", name, t.Seconds() * 100 / max(o.For, 5*time.Second).Seconds(), "% of a core"})
	}
	return found, nil
}

// startAll starts orderbell dev on the servers, and returns when it is ready.
func startAll(ctx context.Context, s servers, o Options, address, data string) ([]string, *process.Process, error) {
	listen, err := embedded.FreeAddr()
	if err != nil {
		return nil, nil, fmt.Errorf("find a port: %w", err)
	}
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, nil, fmt.Errorf("find a port: %w", err)
	}
	env := append(os.Environ(), "PORT="+port, "DATABASE_URL="+address, "REDIS_URL="+s.redis, "KAFKA_BROKERS="+s.kafka, "SMTP_URL="+s.smtp,
		"MAILPIT_URL="+s.mailpit, "LOG_LEVEL=WARN")
	cmd := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(o.Bin, "orderbell"), "dev", "--data", data) //nolint:gosec // our own program
	cmd.Env = env
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("start orderbell dev: %w", err)
	}
	cmd.Stderr = os.Stderr
	dev, err := process.Start(cmd)
	if err != nil {
		return nil, nil, fmt.Errorf("start orderbell dev: %w", err)
	}
	ready := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "http://localhost:"+port) {
				ready <- true
			}
		}
		close(ready)
	}()
	select {
	case ok := <-ready:
		if ok {
			return env, dev, nil
		}
	case <-time.After(2 * time.Minute):
	case <-ctx.Done():
	}
	dev.Kill()
	return nil, nil, errors.New("orderbell dev is not ready in time")
}
