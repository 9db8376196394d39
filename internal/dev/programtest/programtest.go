// Package programtest runs programs for tests: each at a port that the kernel gives it, until the test ends.
package programtest

import (
	"context"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"orderbell/internal/dev/embedded"
	"orderbell/internal/dev/process"
	"orderbell/internal/dev/waittest"
)

// Program is a running one.
type Program struct {
	*process.Process
	Address string // host:port
	URL     string // http:// and the address

	name string
	log  output
}

// Start runs the program at a path with an environment, to which it adds LISTEN_HOST and PORT. It returns once the program
// logs where it serves ([orderbell/internal/service]), and fails the test if the program ends before. The end of the
// test kills it, and a failed test shows its log.
func Start(tb testing.TB, path string, env ...string) *Program {
	tb.Helper()
	return StartAt(tb, "0", path, env...)
}

// StartAt is [Start] at a port, as after a restart.
func StartAt(tb testing.TB, port, path string, env ...string) *Program {
	tb.Helper()
	p := &Program{name: filepath.Base(path)}
	cmd := exec.Command(path) //nolint:noctx // the end of the test kills it
	cmd.Env = append(slices.Clip(env), "LISTEN_HOST=127.0.0.1", "PORT="+port)
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	var err error
	if p.Process, err = process.Start(cmd); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		p.Kill()
		<-p.Done()
		if tb.Failed() {
			tb.Logf("%s logged:\n%s", p.name, p.Log())
		}
	})
	p.await(tb, "serves", func() bool {
		p.Address = p.log.address()
		p.URL = "http://" + p.Address
		return p.Address != ""
	})
	return p
}

// WaitReady returns once GET /healthz/ready answers 204, and fails the test if the program ends before.
func (p *Program) WaitReady(tb testing.TB) *Program {
	tb.Helper()
	p.await(tb, "is ready", func() bool { return ready(tb.Context(), p.URL) })
	return p
}

// Port returns a port of 127.0.0.1 that nothing listens on, for a program that cannot take PORT=0.
func Port(tb testing.TB) string {
	tb.Helper()
	port, err := embedded.FreePort()
	if err != nil {
		tb.Fatal(err)
	}
	return strconv.Itoa(port)
}

// Log returns what the program has written to its standard output and error until now.
func (p *Program) Log() string { return p.log.String() }

func (p *Program) await(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	waittest.Until(tb, p.name+" "+what, func() bool {
		select {
		case <-p.Done():
			tb.Fatalf("%s ended before it %s: %v", p.name, what, p.Err())
		default:
		}
		return holds()
	})
}

func ready(ctx context.Context, url string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/healthz/ready", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	_ = response.Body.Close() // it is empty
	return response.StatusCode == http.StatusNoContent
}

// output keeps what a program writes.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// serving is the line of a service that listens, in both formats of LOG_FORMAT.
var serving = regexp.MustCompile(`serving.*\baddress"?[=:]"?([0-9.:]+)["\s]`)

func (o *output) address() string {
	if m := serving.FindStringSubmatch(o.String()); m != nil {
		return m[1]
	}
	return ""
}
