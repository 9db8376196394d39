package watch_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orderbell/cmd/orderbell/internal/watch"
)

// gateway cuts each stream after one frame, and records the requests of its clients.
type gateway struct {
	mu    sync.Mutex
	asked []string
	clean bool // ends streams with the terminal chunk
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.asked = append(g.asked, r.Header.Get("Authorization")+" after "+r.Header.Get("Last-Event-ID"))
	n := len(g.asked)
	g.mu.Unlock()
	if n == 2 {
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = fmt.Fprintf(w, ":\nretry: 10\nid: e%d\nevent: order_paid\ndata: {\"n\":%d}\n\n", n, n)
	_ = http.NewResponseController(w).Flush()
	if !g.clean {
		panic(http.ErrAbortHandler)
	}
}

func TestFollowComesBackWhereItWas(t *testing.T) {
	t.Parallel()
	for _, clean := range []bool{false, true} {
		t.Run(fmt.Sprintf("clean end %t", clean), func(t *testing.T) {
			t.Parallel()
			g := &gateway{clean: clean}
			s := httptest.NewServer(g)
			t.Cleanup(s.Close)
			ctx, cancel := context.WithCancel(t.Context())
			var got []string
			err := watch.Follow(ctx, watch.Options{Origin: s.URL, Token: "t", LastEventID: "e0"}, func(f watch.Frame) {
				if got = append(got, f.ID+" "+f.Event+" "+string(f.Data)); len(got) == 2 {
					cancel()
				}
			})
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff([]string{`e1 order_paid {"n":1}`, `e3 order_paid {"n":3}`}, got); diff != "" {
				t.Error(diff)
			}
			g.mu.Lock()
			defer g.mu.Unlock()
			want := []string{"Bearer t after e0", "Bearer t after e1", "Bearer t after e1"}
			if diff := cmp.Diff(want, g.asked[:3]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFollowEndsWhereItIsRefused(t *testing.T) {
	t.Parallel()
	for _, want := range []*watch.RefusedError{{Status: 401, Detail: "token has expired"}, {Status: 403, Detail: "no"}, {Status: 204}} {
		t.Run(http.StatusText(want.Status), func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(want.Status)
				_, _ = w.Write([]byte(want.Detail))
			}))
			t.Cleanup(s.Close)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			t.Cleanup(cancel)
			err := watch.Follow(ctx, watch.Options{Origin: s.URL}, func(watch.Frame) {})
			var refused *watch.RefusedError
			if !errors.As(err, &refused) {
				t.Fatalf("Follow = %v, want a RefusedError", err)
			}
			if diff := cmp.Diff(want, refused); diff != "" {
				t.Error(diff)
			}
		})
	}
}
