//go:build alerts

package alerts_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"orderbell/internal/backoff"
)

// busy is work that goes on from start to stop.
type busy struct {
	work   func(context.Context)
	cancel context.CancelFunc
	ended  chan struct{}
}

func (b *busy) start(context.Context) error {
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel, b.ended = cancel, make(chan struct{})
	go func() {
		defer close(b.ended)
		b.work(ctx)
	}()
	return nil
}

func (b *busy) stop(context.Context) error {
	b.cancel()
	<-b.ended
	return nil
}

// repeat calls do until the end, with a pause after each call.
func repeat(pause time.Duration, do func(context.Context)) *busy {
	return &busy{work: func(ctx context.Context) {
		for ok := true; ok; ok = backoff.Sleep(ctx, pause) {
			do(ctx)
		}
	}}
}

// token returns the token of a demo user.
func (w *world) token(email string) string {
	for _, u := range w.users {
		if u.Email == email {
			return u.Token
		}
	}
	return ""
}

// startTrade creates, pays and lists orders and reads the stream until ctx ends. It ignores errors. The channel is closed when
// it has stopped.
func (w *world) startTrade(ctx context.Context) <-chan struct{} {
	token := w.token("owner@demo.example")
	var all sync.WaitGroup
	all.Go(func() {
		for n := 0; backoff.Sleep(ctx, 200*time.Millisecond); n++ {
			id, err := w.order(ctx, token, fmt.Sprintf("T%d", n))
			if err == nil && n%4 == 0 {
				_, _, _ = call(ctx, http.MethodPost, w.state.Origin+"/api/orders/"+id+"/pay", token, "")
			}
			_, _, _ = call(ctx, http.MethodGet, w.state.Origin+"/api/orders/snapshot?limit=5", token, "")
		}
	})
	all.Go(func() {
		for ctx.Err() == nil {
			if body := w.stream(ctx, "viewer@demo.example"); body != nil {
				_, _ = io.Copy(io.Discard, body)
				_ = body.Close()
			}
			backoff.Sleep(ctx, time.Second)
		}
	})
	ended := make(chan struct{})
	go func() { all.Wait(); close(ended) }()
	return ended
}

func (w *world) order(ctx context.Context, token, reference string) (id string, err error) {
	status, body, err := call(ctx, http.MethodPost, w.state.Origin+"/api/orders", token, `{"total_amount":100,"reference":"`+reference+`"}`)
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("POST /api/orders: %d %s", status, body)
	}
	var order struct {
		ID string `json:"order_id"`
	}
	if err == nil {
		err = json.Unmarshal(body, &order)
	}
	return order.ID, err
}

// sell creates n orders of the other tenant.
func (w *world) sell(ctx context.Context, n int) error {
	token := w.token("owner@kopi.example")
	var next atomic.Int64
	failed := make(chan error, 8)
	for range cap(failed) {
		go func() {
			for {
				i := next.Add(1)
				if i > int64(n) {
					failed <- nil
					return
				}
				if _, err := w.order(ctx, token, fmt.Sprintf("S%d", i)); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	var err error
	for range cap(failed) {
		if e := <-failed; e != nil {
			err = e
		}
	}
	return err
}

// stream opens a stream of the user. It returns nil if it was refused.
func (w *world) stream(ctx context.Context, email string) io.ReadCloser {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.state.Programs["sse-gateway"].URL+"/api/sse/notifications", nil)
	if err != nil {
		return nil
	}
	r.Header.Set("Authorization", "Bearer "+w.token(email))
	response, err := (&http.Client{Transport: &http.Transport{}}).Do(r)
	if err != nil {
		return nil
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil
	}
	return response.Body
}

// crowd opens streams until the gateway has one place left, the stream of startTrade included. Then it repeatedly opens one stream
// more than a user may have, and one more than the instance may have.
func (w *world) crowd() *busy {
	return &busy{work: func(ctx context.Context) {
		full, last, other := "owner@demo.example", "kitchen@kopi.example", "viewer@kopi.example"
		for _, email := range []string{full, "manager@demo.example", "cashier@demo.example"} {
			for range streamsOfUser {
				w.hold(ctx, email)
			}
		}
		for range streamsOfInstance - 1 - 1 - 3*streamsOfUser {
			w.hold(ctx, "owner@kopi.example")
		}
		for backoff.Sleep(ctx, 300*time.Millisecond) {
			w.try(ctx, full)
			one, release := context.WithCancel(ctx)
			w.hold(one, last)
			for range 3 { // the gateway needs a moment to count the last stream
				w.try(ctx, other)
			}
			release()
		}
	}}
}

// hold opens a stream and keeps it open until ctx ends.
func (w *world) hold(ctx context.Context, email string) {
	body := w.stream(ctx, email)
	if body == nil {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, body)
		_ = body.Close()
	}()
}

// try opens a stream that is to be refused, by a status or by a frame and the end of the stream.
func (w *world) try(ctx context.Context, email string) {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	if body := w.stream(ctx, email); body != nil {
		_, _ = io.Copy(io.Discard, body)
		_ = body.Close()
	}
}

// invalidTokens sends requests with an invalid token.
func (w *world) invalidTokens() *busy {
	return repeat(20*time.Millisecond, func(ctx context.Context) {
		_, _, _ = call(ctx, http.MethodGet, w.state.Origin+"/api/orders/snapshot", "not-a-token", "")
	})
}

// stalls stops outbox-relay most of the time, but lets it run long enough for Prometheus to scrape it.
func (w *world) stalls() *busy {
	return &busy{work: func(ctx context.Context) {
		for ctx.Err() == nil {
			_ = w.signal("outbox-relay", syscall.SIGSTOP)
			backoff.Sleep(ctx, 2*time.Second)
			_ = w.signal("outbox-relay", syscall.SIGCONT)
			backoff.Sleep(ctx, 1500*time.Millisecond)
		}
	}}
}
