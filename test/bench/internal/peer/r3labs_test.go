package peer_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/r3labs/sse/v2"
)

// The tests of this file show why the gateway does not use r3labs/sse. They pass as long as it behaves as
// specs/004-order-notifications/research.md says. If one fails, the decision should be reviewed.

func server(t *testing.T, change func(*sse.Server)) (*sse.Server, string) {
	t.Helper()
	s := sse.New()
	change(s)
	s.CreateStream("tenant-a")
	s.CreateStream("tenant-b")
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	t.Cleanup(s.Close)
	return s, web.URL
}

// stream opens a stream and returns its response, which is closed at the end of the test.
func stream(t *testing.T, address, lastEventID string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastEventID != "" {
		request.Header.Set("Last-Event-ID", lastEventID)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// lines returns the stream's lines.
func lines(t *testing.T, response *http.Response) <-chan string {
	t.Helper()
	all := make(chan string, 1000)
	go func() {
		defer close(all)
		scanner := bufio.NewScanner(response.Body)
		scanner.Buffer(nil, 4<<20)
		for scanner.Scan() {
			all <- scanner.Text()
		}
	}()
	return all
}

// within returns the next line that begins with prefix, or "" if none arrives in time.
func within(t *testing.T, d time.Duration, all <-chan string, prefix string) string {
	t.Helper()
	over := time.After(d)
	for {
		select {
		case line, ok := <-all:
			if !ok || strings.HasPrefix(line, prefix) {
				return line
			}
		case <-over:
			return ""
		}
	}
}

const (
	soon   = 10 * time.Second // for what must arrive
	silent = time.Second      // long enough to conclude that nothing arrives
)

func event(id, data string) *sse.Event { return &sse.Event{ID: []byte(id), Data: []byte(data)} }

func TestOneR3labsClientThatDoesNotReadStopsAllOthers(t *testing.T) {
	t.Parallel()
	s, address := server(t, func(s *sse.Server) { s.AutoReplay = false })
	_ = stream(t, address+"/?stream=tenant-a", "") // never read
	reader := lines(t, stream(t, address+"/?stream=tenant-a", ""))
	large := strings.Repeat("x", 1<<20)
	published := make(chan struct{})
	go func() { // 64 messages wait for the client, then the socket's buffers, then the stream's 1,024
		defer close(published)
		for range 128 {
			s.Publish("tenant-a", event("1", large))
		}
		s.Publish("tenant-a", event("2", "the last one"))
	}()
	<-published
	for n := 0; ; n++ {
		switch within(t, silent, reader, "data: ") {
		case "data: the last one":
			t.Fatal("the client that reads got everything although the other does not read")
		case "":
			t.Logf("the client that reads got %d of 129 events", n)
			return
		}
	}
}

func TestR3labsRefusesALastEventIDThatIsNoNumber(t *testing.T) {
	t.Parallel()
	_, address := server(t, func(*sse.Server) {})
	if got := stream(t, address+"/?stream=tenant-a", "01936000-0000-7000-8000-000000000001"); got.StatusCode != http.StatusBadRequest {
		t.Errorf("a UUID as Last-Event-ID gets the status %s", got.Status)
	}
}

func TestR3labsReplayOverwritesEventIDs(t *testing.T) {
	t.Parallel()
	s, address := server(t, func(*sse.Server) {}) // AutoReplay is its default
	reader := lines(t, stream(t, address+"/?stream=tenant-a", ""))
	s.Publish("tenant-a", event("01936000-0000-7000-8000-000000000001", "x"))
	if got := within(t, soon, reader, "id: "); got != "id: 0" {
		t.Errorf("the event's id arrives as %q", got)
	}
}

func TestR3labsReplayKeepsEveryEvent(t *testing.T) {
	t.Parallel()
	const events = 20_000
	s := sse.New()
	s.CreateStream("tenant-a")
	for range events {
		s.Publish("tenant-a", event("1", "x"))
	}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	t.Cleanup(s.Close)
	reader := lines(t, stream(t, web.URL+"/?stream=tenant-a", ""))
	for n := range events {
		if within(t, soon, reader, "data: ") == "" {
			t.Fatalf("a new client got %d of %d events: the log was bounded", n, events)
		}
	}
}

func TestAnR3labsClientChoosesItsTenant(t *testing.T) {
	t.Parallel()
	s, address := server(t, func(s *sse.Server) { s.AutoReplay = false })
	reader := lines(t, stream(t, address+"/?stream=tenant-b", "")) // no check of the caller
	s.Publish("tenant-b", event("1", "not yours"))
	if got := within(t, soon, reader, "data: "); got != "data: not yours" {
		t.Errorf("got %q", got)
	}
}

func TestAnR3labsStreamHasNoHeartbeat(t *testing.T) {
	t.Parallel()
	_, address := server(t, func(*sse.Server) {})
	ctx, cancel := context.WithTimeout(t.Context(), 3*silent)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/?stream=tenant-a", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if body, err := io.ReadAll(response.Body); len(body) > 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an idle stream sent %q, %v", body, err)
	}
}
