package watch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/cmd/orderbell/internal/watch"
)

const patience = 30 * time.Second

// answers are a server's, one after the other, each cut off at its end; the last one is given again and again.
type answers []string

// follow returns the first n frames that a client of the answers sees, and the Last-Event-ID of each of its requests.
func (a answers) follow(t *testing.T, n int) (frames, asked []string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Last-Event-ID"))
		_, _ = io.WriteString(w, a[min(len(asked), len(a))-1])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(s.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	err := watch.Follow(ctx, watch.Options{Origin: s.URL}, func(f watch.Frame) {
		if frames = append(frames, f.ID+" "+f.Event+" "+string(f.Data)); len(frames) == n {
			cancel()
		}
	})
	if err != nil {
		t.Error(err)
	}
	s.Close() // no client follows
	return frames, asked
}

func TestHalfAFrameIsNone(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\n", "\r\n"} {
		t.Run(fmt.Sprintf("%q", end), func(t *testing.T) {
			t.Parallel()
			text := func(s string) string { return strings.ReplaceAll(s, "\n", end) }
			frames, asked := answers{
				text("retry: 5\nid: a\ndata: 1\n\nid: b\ndata: half of"),
				text("id: b\ndata: half of it\n\n:\n"),
				text("id: c\ndata: 3\n\n"),
			}.follow(t, 3)
			if diff := cmp.Diff([]string{"a  1", "b  half of it", "c  3"}, frames); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"", "a", "b"}, asked[:3]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestALargeFrameIsSeenWhole(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("é", 100_000)
	frames, _ := answers{"id: a\ndata: " + large + "\n\n"}.follow(t, 1)
	if diff := cmp.Diff([]string{"a  " + large}, frames); diff != "" {
		t.Error(diff)
	}
}

func TestWhatNeverEndsIsNoFrame(t *testing.T) {
	t.Parallel()
	frames, asked := answers{"id: a\ndata: " + strings.Repeat("x", 2<<20), "retry: 5\nid: b\ndata: 2\n\n"}.follow(t, 1)
	if diff := cmp.Diff([]string{"b  2"}, frames); diff != "" || len(asked) < 2 {
		t.Error(diff, asked)
	}
}

// transport answers without a network, so that the test controls time.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func stream(text string, rest io.Reader) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(io.MultiReader(strings.NewReader(text), rest))}, nil
}

func TestFollowWaitsAsTheStreamSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var at []time.Time
		const overloaded = "retry: 20000\nid: 0\nevent: overloaded\ndata: {}\n\n"
		err := watch.Follow(ctx, watch.Options{Transport: transport(func(*http.Request) (*http.Response, error) {
			switch at = append(at, time.Now()); len(at) {
			case 1:
				return stream(overloaded, strings.NewReader(""))
			case 2:
				return &http.Response{
					StatusCode: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"7"}}, Body: http.NoBody,
				}, nil
			case 3, 4, 5, 6, 7, 8:
				return nil, errors.New("no server")
			}
			cancel()
			return nil, ctx.Err()
		})}, func(watch.Frame) {})
		if err != nil {
			t.Error(err)
		}
		for i, c := range []struct{ least, most time.Duration }{
			{20 * time.Second, 40 * time.Second}, // as the stream said, and up to as much again
			{14 * time.Second, 28 * time.Second}, // as the answer's header said, twice as it is the second failure
			{28 * time.Second, time.Minute}, {30 * time.Second, time.Minute}, {30 * time.Second, time.Minute},
		} {
			if d := at[i+1].Sub(at[i]); d < c.least || d > c.most {
				t.Errorf("attempt %d came after %s, want %s to %s", i+2, d, c.least, c.most)
			}
		}
	})
}

func TestAStreamThatMissesItsHeartbeatIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var opened []time.Time
		err := watch.Follow(ctx, watch.Options{Heartbeat: 2 * time.Second, Transport: transport(func(r *http.Request) (*http.Response, error) {
			if got := r.URL.RawQuery; got != "heartbeat=2" {
				t.Errorf("the query is %q, want heartbeat=2", got)
			}
			if opened = append(opened, time.Now()); len(opened) == 2 {
				cancel()
				return nil, ctx.Err()
			}
			silent, _ := io.Pipe()
			ready := "id: 0\nevent: ready\ndata: {\"heartbeat_ms\":2000}\n\n"
			return &http.Response{StatusCode: http.StatusOK, Body: struct {
				io.Reader
				io.Closer
			}{io.MultiReader(strings.NewReader(ready), silent), silent}}, nil
		})}, func(watch.Frame) {})
		if err != nil || len(opened) != 2 {
			t.Fatalf("%v, %d attempts", err, len(opened))
		}
		if d := opened[1].Sub(opened[0]); d < 6*time.Second || d > 7*time.Second {
			t.Errorf("it is opened again after %s, want 5 s of silence and a pause of 1 to 2 s", d)
		}
	})
}

func TestASilentStreamIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var opened []time.Time
		var cuts []error
		err := watch.Follow(ctx, watch.Options{
			Transport: transport(func(*http.Request) (*http.Response, error) {
				if opened = append(opened, time.Now()); len(opened) == 2 {
					cancel()
					return nil, ctx.Err()
				}
				silent, sender := io.Pipe()
				go func() { // it is heard of for two minutes, and then no more
					for range 5 {
						time.Sleep(25 * time.Second)
						_, _ = io.WriteString(sender, ":\n")
					}
				}()
				return &http.Response{StatusCode: http.StatusOK, Body: silent}, nil
			}),
			Cut: func(why error, _ time.Duration) { cuts = append(cuts, why) },
		}, func(watch.Frame) {})
		if err != nil || len(opened) != 2 || len(cuts) != 1 {
			t.Fatalf("%v, %d attempts, %v", err, len(opened), cuts)
		}
		if d := opened[1].Sub(opened[0]); d < 185*time.Second || d > 195*time.Second {
			t.Errorf("it was left after %s, want a minute after the last byte", d)
		}
	})
}
