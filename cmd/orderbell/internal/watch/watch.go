// Package watch follows a tenant's stream as a client does: it reads frames, and comes back with the last event's id
// when the stream is cut.
//
// It is the client of r3labs/sse, kept to the rules of the stream's contract where it has others of its own: it waits as
// long as the stream says, takes silence for an end, and sees whole frames only.
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
	LastEventID string // resume after this event; "" starts with the next event

	// The rest may be left out.

	Heartbeat time.Duration                        // ask for a sign of life so often, to notice a hung gateway; 0: as usual
	Renew     func() (string, error)               // returns the token of the next attempt, in place of Token
	Opened    func()                               // called whenever the stream opens
	Cut       func(why error, again time.Duration) // called when the stream has ended, or could not be opened
	Transport http.RoundTripper                    // nil: a connection of its own
}

// RefusedError is an answer that will not change by trying again.
type RefusedError struct {
	Status int
	Detail string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the stream is refused with %d %s: %s", e.Status, http.StatusText(e.Status), e.Detail)
}

// errComplete is a stream that was ended as a complete answer, as the gateway never does.
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
	address := o.Origin + Path
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
		// The client takes a complete answer for the end of all; the stream has none before ctx.
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
	firstRetry   = time.Second      // until a stream says another
	longestPause = 30 * time.Second // unless a stream says a longer one
	largestFrame = 1 << 20          // no frame comes near it
)

// follower decides whether and when the client connects again, and what it sees of the answers. It is used by one
// goroutine at a time.
type follower struct {
	ctx      context.Context //nolint:containedctx // the client's interface has no other way in
	options  Options
	retry    time.Duration // as the stream says
	failures int           // since the last frame
	final    error         // why there is no further attempt
	body     *whole        // of the stream that is open
}

// obey takes in what a frame says of the stream itself.
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

// NextBackOff returns how long to wait before the next attempt: as the stream says, up to as much again, and longer
// while there is no stream.
func (f *follower) NextBackOff() time.Duration {
	const never = -1 // as the client's library has it
	if f.ctx.Err() != nil || f.final != nil {
		return never
	}
	f.failures++
	wait := backoff.After(f.failures, f.retry, max(longestPause, f.retry))
	return backoff.Jitter(2 * wait) // the contract's jitter: never earlier than the stream asks for
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
	// Too many requests and a busy or restarting gateway pass by; what the request itself lacks does not. 204 is how a
	// server tells an event source to stop (WHATWG HTML §9.2).
	if resp.StatusCode == http.StatusNoContent ||
		resp.StatusCode >= 400 && resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests {
		f.final = err
	}
	return err
}
