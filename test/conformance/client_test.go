//go:build conformance

package conformance_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/r3labs/sse/v2"
)

// kind is a kind of client.
type kind struct {
	name  string
	start func(t *testing.T, name string) opener

	obeysRetry  bool // waits for the time in the stream's retry field
	retries503  bool // reconnects after a 503
	wholeFrames bool // drops an incomplete frame at the end of a stream, as the standard says
}

// opener opens a stream of its kind. The stream goes on until the test ends.
type opener func(t *testing.T, url string) *stream

func kinds() []kind {
	return []kind{
		{name: "chromium", start: startNode, obeysRetry: true, wholeFrames: true},
		{name: "eventsource", start: startNode, obeysRetry: true, wholeFrames: true},
		{name: "eventsource-parser", start: startNode, obeysRetry: true, retries503: true, wholeFrames: true},
		{name: "r3labs", start: startR3labs, retries503: true},
	}
}

// report is something that happened to a stream.
type report struct {
	Stream int
	What   string // open, event or error
	ID     string
	Event  string
	Data   string
	State  int // after an error: [connecting] or [closed]
	Status int // of an error, if the client reports it
}

// The states of an event source (WHATWG HTML §9.2).
const (
	connecting = 0
	closed     = 2
)

// stream is the events of a client's stream, as its API reports them.
type stream struct{ reports chan report }

const patience = 60 * time.Second

// next returns the next report.
func (s *stream) next(t *testing.T) report {
	t.Helper()
	return s.await(t, "report", func(report) bool { return true })
}

// event returns the next event.
func (s *stream) event(t *testing.T) report {
	t.Helper()
	return s.await(t, "event", func(r report) bool { return r.What == "event" })
}

// failure returns the next error.
func (s *stream) failure(t *testing.T) report {
	t.Helper()
	return s.await(t, "error", func(r report) bool { return r.What == "error" })
}

// await skips reports until the wanted one, and returns it.
func (s *stream) await(t *testing.T, what string, wanted func(report) bool) report {
	t.Helper()
	over := time.After(patience)
	for {
		select {
		case r := <-s.reports:
			if wanted(r) {
				return r
			}
			if r.State == closed {
				t.Fatalf("the client closed the stream: %+v", r)
			}
		case <-over:
			t.Fatalf("no %s within %s", what, patience)
		}
	}
}

// startNode starts clients.js, for a kind that runs in Node.js or Chromium.
func startNode(t *testing.T, name string) opener {
	t.Helper()
	cmd := exec.Command("node", "clients.js", name) //nolint:noctx // it ends with its input, and so with this process
	cmd.Env = append(os.Environ(), "CHROMIUM_PATH="+chromium())
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	streams := map[int]*stream{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewReader(out); ; {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			var r report
			if err := json.Unmarshal(line, &r); err != nil {
				t.Errorf("clients.js says %q", line)
				continue
			}
			mu.Lock()
			streams[r.Stream].reports <- r
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		<-ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("clients.js: %v\n%s", err, said.String())
		}
	})
	return func(t *testing.T, url string) *stream {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		s := &stream{reports: make(chan report, 10_000)}
		streams[len(streams)] = s
		if _, err := fmt.Fprintf(in, "{\"stream\":%d,\"open\":%q}\n", len(streams)-1, url); err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// chromium returns the path of the machine's browser, or "" to use Playwright's.
func chromium() string {
	if path := os.Getenv("CHROMIUM_PATH"); path != "" {
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// startR3labs opens streams with the client of r3labs/sse.
func startR3labs(*testing.T, string) opener {
	return func(t *testing.T, url string) *stream {
		t.Helper()
		s := &stream{reports: make(chan report, 10_000)}
		client := sse.NewClient(url, sse.ClientMaxBufferSize(1<<20))
		ctx, cancel := context.WithCancel(context.Background())
		attempts := &attempts{over: ctx.Done(), stream: s}
		client.ReconnectStrategy, client.ResponseValidator = attempts, attempts.validate
		var running sync.WaitGroup
		running.Go(func() {
			_ = client.SubscribeRawWithContext(ctx, func(e *sse.Event) {
				if len(e.Event) > 0 || len(e.Data) > 0 { // otherwise a block with retry: only, which it also passes on
					s.reports <- report{What: "event", ID: string(e.ID), Event: string(e.Event), Data: string(e.Data)}
				}
			})
			// The client has stopped: the stream was refused, or it ended cleanly.
			s.reports <- report{What: "error", State: closed, Status: attempts.status}
		})
		t.Cleanup(func() {
			cancel()
			running.Wait()
		})
		return s
	}
}

// attempts decides when the client of r3labs/sse reconnects. The library leaves this to its caller.
type attempts struct {
	over   <-chan struct{}
	stream *stream
	status int
}

// NextBackOff is called after the end of each stream, unless it ended cleanly.
func (a *attempts) NextBackOff() time.Duration {
	const never = -1
	select {
	case <-a.over:
		return never
	default:
	}
	switch a.status {
	case http.StatusNoContent, http.StatusUnauthorized, http.StatusForbidden:
		return never
	}
	a.stream.reports <- report{What: "error", State: connecting, Status: a.status}
	a.status = 0
	return 500 * time.Millisecond
}

func (*attempts) Reset() {}

func (a *attempts) validate(_ *sse.Client, r *http.Response) error {
	if r.StatusCode == http.StatusOK {
		a.stream.reports <- report{What: "open"}
		return nil
	}
	a.status = r.StatusCode
	_ = r.Body.Close()
	return fmt.Errorf("status %d", r.StatusCode)
}
