// Package watch follows a tenant's stream as a client does: it reads frames, and reconnects with the last event's id
// when the stream is cut.
//
// It uses the client of r3labs/sse and adds the rules of the stream's contract: it waits as long as the stream says,
// treats silence as an end, and handles whole frames only.
package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"orderbell/internal/backoff"
	"orderbell/internal/paths"

	"github.com/r3labs/sse/v2"
)

// Frame is one event of the stream.
type Frame struct {
	ID    string
	Event string
	Data  []byte
	At    time.Time // when it arrived
}

// Reloads reports whether f tells the client to load the snapshot (sse-contract.md).
func (f Frame) Reloads() bool {
	var ready struct {
		Resumed *bool `json:"resumed"`
	}
	return f.Event == "resync" || f.Event == "ready" && json.Unmarshal(f.Data, &ready) == nil && ready.Resumed != nil && !*ready.Resumed
}

// Options choose the stream.
type Options struct {
	Origin      string // http://localhost:8080
	Token       string
	LastEventID string // resume after this event; "" starts with the next event

	// Optional.

	Heartbeat time.Duration                        // requested interval of heartbeats, to notice a hung gateway; 0: the gateway's default
	Renew     func() (string, error)               // returns the token of the next attempt, in place of Token
	Opened    func()                               // called whenever the stream opens
	Cut       func(why error, again time.Duration) // called when the stream has ended, or could not be opened
	Transport http.RoundTripper                    // nil: a connection of its own
}

// RefusedError is an answer for which a retry is useless.
type RefusedError struct {
	Status int
	Detail string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the stream is refused with %d %s: %s", e.Status, http.StatusText(e.Status), e.Detail)
}

// errComplete is a stream that ended as a complete response. The gateway never does that.
var errComplete = errors.New("the stream ended")

// Follow calls handle for each frame, one after the other, until ctx ends, and then returns nil. It returns a
// *[RefusedError] if the gateway says that it will not serve this client, or the error of Renew.
func Follow(ctx context.Context, o Options, handle func(Frame)) error {
	if o.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // net/http's own
		defer transport.CloseIdleConnections()
		o.Transport = transport
	}
	f := &follower{ctx: ctx, options: o, retry: firstRetry}
	address := o.Origin + paths.Stream
	if o.Heartbeat > 0 {
		address += "?heartbeat=" + strconv.Itoa(int(o.Heartbeat/time.Second))
	}
	client := sse.NewClient(address, sse.ClientMaxBufferSize(largestFrame))
	client.Connection = &http.Client{Transport: f}
	if o.LastEventID != "" {
		client.LastEventID.Store([]byte(o.LastEventID))
	}
	client.ReconnectStrategy, client.ReconnectNotify, client.ResponseValidator = f, f.cut, f.validate
	for {
		// The client stops after a complete response; here the stream only ends with ctx.
		_ = client.SubscribeRawWithContext(ctx, func(e *sse.Event) {
			f.obey(e)
			if len(e.Event) > 0 || len(e.Data) > 0 { // else it is a retry: alone
				handle(Frame{ID: string(e.ID), Event: string(e.Event), Data: e.Data, At: time.Now()})
			}
		})
		switch {
		case f.final != nil:
			return f.final
		case ctx.Err() != nil:
			return nil
		}
		wait := f.NextBackOff()
		f.cut(errComplete, wait)
		backoff.Sleep(ctx, wait)
	}
}

const (
	firstRetry   = time.Second      // until a stream sets another one
	longestPause = 30 * time.Second // unless a stream sets a longer one
	largestFrame = 1 << 20          // every frame is much smaller
)

// follower decides whether and when the client reconnects, and filters the answers that it sees. It is used by one
// goroutine at a time.
type follower struct {
	ctx      context.Context //nolint:containedctx // the client's interface has no context argument
	options  Options
	retry    time.Duration // as the stream says
	failures int           // since the last frame
	final    error         // why there is no further attempt
	body     *whole        // of the stream that is open
}

// obey applies the settings of the stream that a frame contains.
func (f *follower) obey(e *sse.Event) {
	f.failures = 0
	if ms, err := strconv.ParseUint(string(e.Retry), 10, 31); err == nil {
		f.retry = time.Duration(ms) * time.Millisecond
	}
	var ready struct {
		Heartbeat int64 `json:"heartbeat_ms"`
	}
	if string(e.Event) == "ready" && json.Unmarshal(e.Data, &ready) == nil && ready.Heartbeat > 0 {
		f.body.allow(2*time.Duration(ready.Heartbeat)*time.Millisecond + time.Second)
	}
}

// Context ends the client's waiting.
func (f *follower) Context() context.Context { return f.ctx }

// NextBackOff returns the wait before the next attempt: once to twice the value of the stream, and longer after
// repeated failures.
func (f *follower) NextBackOff() time.Duration {
	const never = -1 // as in the client's library
	if f.ctx.Err() != nil || f.final != nil {
		return never
	}
	f.failures++
	wait := backoff.After(f.failures, f.retry, max(longestPause, f.retry))
	return backoff.Jitter(2 * wait) // the contract's jitter: never earlier than the stream says
}

// Reset is called when the client starts a new attempt, which is not yet a success.
func (*follower) Reset() {}

func (f *follower) cut(why error, again time.Duration) {
	if f.options.Cut != nil && f.ctx.Err() == nil {
		f.options.Cut(why, again)
	}
}

// RoundTrip implements [http.RoundTripper]: it adds the token, and has the client see whole frames.
func (f *follower) RoundTrip(r *http.Request) (*http.Response, error) {
	token := f.options.Token
	if f.options.Renew != nil {
		var err error
		if token, err = f.options.Renew(); err != nil {
			f.final = err
			return nil, err
		}
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := f.options.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		f.body = newWhole(resp.Body)
		resp.Body = f.body
	}
	return resp, nil
}

func (f *follower) validate(_ *sse.Client, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		if f.options.Opened != nil {
			f.options.Opened()
		}
		return nil
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	detail, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	err := &RefusedError{Status: resp.StatusCode, Detail: strings.TrimSpace(string(detail))}
	if seconds, bad := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 16); bad == nil {
		f.retry = time.Duration(seconds) * time.Second
	}
	// 429 and 5xx are temporary; other 4xx are not. 204 tells an event source to stop (WHATWG HTML §9.2).
	if resp.StatusCode == http.StatusNoContent ||
		resp.StatusCode >= 400 && resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests {
		f.final = err
	}
	return err
}
