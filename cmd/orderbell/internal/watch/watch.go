// Package watch follows a tenant's stream as a client does: it reads frames, and comes back with the last event's id
// when the stream is cut.
package watch

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/r3labs/sse/v2"
)

// Path is where the gateway serves a tenant's stream.
const Path = "/api/sse/notifications"

// Frame is one event of the stream.
type Frame struct {
	ID    string
	Event string
	Data  []byte
	At    time.Time // when it arrived
}

// Options say what to follow.
type Options struct {
	Origin      string // http://localhost:8080
	Token       string
	LastEventID string // resume behind this event; "" begins with what happens from now on
}

// RefusedError is an answer that will not change by trying again.
type RefusedError struct {
	Status int
	Detail string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the stream is refused with %d %s: %s", e.Status, http.StatusText(e.Status), e.Detail)
}

// Follow calls handle for each frame, one after the other, until ctx ends, and then returns nil. It returns a
// *[RefusedError] if the gateway says that it will not serve this client.
func Follow(ctx context.Context, o Options, handle func(Frame)) error {
	client := sse.NewClient(o.Origin + Path)
	client.Headers["Authorization"] = "Bearer " + o.Token
	if o.LastEventID != "" {
		client.LastEventID.Store([]byte(o.LastEventID))
	}
	attempt := &attempts{ctx: ctx}
	client.ReconnectStrategy = attempt
	client.ResponseValidator = attempt.validate
	for ctx.Err() == nil && attempt.refused == nil {
		// The client takes a clean end for the end of all; the stream has none before ctx.
		_ = client.SubscribeRawWithContext(ctx, func(e *sse.Event) {
			attempt.Reset()
			handle(Frame{ID: string(e.ID), Event: string(e.Event), Data: e.Data, At: time.Now()})
		})
	}
	if attempt.refused != nil {
		return attempt.refused
	}
	return nil
}

const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// attempts decides whether and when the client connects again. It is used by one goroutine at a time.
type attempts struct {
	ctx     context.Context //nolint:containedctx // the client's interface has no other way in
	pause   time.Duration
	refused *RefusedError
}

// stop is what the client's backoff library understands as "never again".
const stop = -1

// NextBackOff returns how long to wait before the next attempt.
func (a *attempts) NextBackOff() time.Duration {
	if a.ctx.Err() != nil || a.refused != nil {
		return stop
	}
	a.pause = min(max(2*a.pause, firstPause), longestPause)
	return a.pause
}

// Reset is called when the stream works.
func (a *attempts) Reset() { a.pause = 0 }

func (a *attempts) validate(_ *sse.Client, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	detail, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	err := &RefusedError{Status: resp.StatusCode, Detail: strings.TrimSpace(string(detail))}
	// Too many requests and a busy or restarting gateway pass by; what the request itself lacks does not.
	if resp.StatusCode >= 400 && resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests {
		a.refused = err
	}
	return err
}
