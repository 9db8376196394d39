// Package tail prints a tenant's live stream: one line per event, as text or JSON.
package tail

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"orderbell/cmd/orderbell/internal/watch"
	"orderbell/internal/event"
	"orderbell/internal/text"
	"orderbell/internal/wording"
)

// Options choose what is printed, and where.
type Options struct {
	Stream watch.Options
	Tenant string // the tenant that the stream must belong to
	Most   int    // end after so many events; 0: never
	JSON   bool
	Out    io.Writer // events
	Notes  io.Writer // messages about the stream itself
}

// Heartbeat is the requested interval of heartbeats, so that a dead stream is noticed.
const Heartbeat = 2 * time.Second

// Follow shows events until ctx ends or Most were shown.
func Follow(ctx context.Context, o Options) error {
	catalogues, err := wording.Load()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &show{Options: o, words: catalogues.For("en")}
	o.Stream.Cut = s.cut
	err = watch.Follow(ctx, o.Stream, func(f watch.Frame) {
		if s.err != nil || o.Most > 0 && s.shown >= o.Most {
			return // on the way when it ended
		}
		if s.err = s.frame(f); s.err != nil || o.Most > 0 && s.shown >= o.Most {
			cancel()
		}
	})
	if s.err != nil {
		return s.err
	}
	return err
}

type show struct {
	Options

	words *wording.Words
	shown int
	err   error
	heard time.Time // when the last frame came
	stale time.Time // since when events may be missing; zero: none are
}

// outdated prints once, until [show.current], that the output may be outdated since then.
func (s *show) outdated(since time.Time, why string) {
	if s.stale.IsZero() {
		s.stale = since
		s.note("what is shown may be out of date since %s: %s", since.Local().Format("15:04:05"), why)
	}
}

// current prints that nothing is missing any more.
func (s *show) current() {
	if !s.stale.IsZero() {
		s.note("up to date again after %.0f s", time.Since(s.stale).Seconds())
		s.stale = time.Time{}
	}
}

func (s *show) note(format string, args ...any) {
	_, _ = fmt.Fprintln(s.Notes, text.Terminal("· "+fmt.Sprintf(format, args...))) // a closed terminal is not an error
}

func (s *show) cut(why error, again time.Duration) {
	s.note("the stream was cut (%v); again in %.1f s", why, again.Seconds())
	if !s.heard.IsZero() {
		s.outdated(time.Now(), "there is no stream")
	}
}

// frame prints one frame: events on Out, everything else on the other writer.
func (s *show) frame(f watch.Frame) error {
	s.heard = f.At
	switch f.Event {
	case "ready":
		return s.ready(f)
	case "degraded":
		return s.degraded(f)
	case "live":
		s.current()
		return nil
	case "overloaded":
		s.note("the gateway accepts no stream now: %s", f.Data)
		return nil
	case "resync":
		s.note("earlier events cannot be shown: %s", f.Data)
		return nil
	case "token_expiring":
		return nil // the next attempt has a new one
	case "order_committed":
		return nil // its event follows
	}
	s.shown++
	if s.JSON {
		line, err := json.Marshal(struct {
			At    time.Time       `json:"at"`
			ID    string          `json:"id"`
			Event string          `json:"event"`
			Data  json.RawMessage `json:"data"`
		}{f.At.UTC(), f.ID, f.Event, f.Data})
		if err != nil {
			return fmt.Errorf("the data of event %s is not JSON: %w", f.ID, err)
		}
		_, err = fmt.Fprintf(s.Out, "%s\n", text.JSON(line))
		return err
	}
	_, err := fmt.Fprintln(s.Out, strings.TrimRight(s.line(f), " "))
	return err
}

func (s *show) ready(f watch.Frame) error {
	var ready struct {
		TenantID string `json:"tenant_id"`
		Resumed  bool   `json:"resumed"`
		Live     *bool  `json:"live"` // an older gateway does not say
	}
	if err := json.Unmarshal(f.Data, &ready); err != nil {
		return fmt.Errorf("read the first frame: %w", err)
	}
	if ready.TenantID != s.Tenant {
		return fmt.Errorf("the token is for tenant %s, not %s", ready.TenantID, s.Tenant)
	}
	how := "live"
	if ready.Resumed {
		how = "resumed after " + f.ID
	}
	if ready.Live != nil && !*ready.Live {
		how = "open, but not live"
	}
	s.note("stream of %s: %s", ready.TenantID, how)
	if ready.Live == nil || *ready.Live {
		s.current()
	}
	return nil
}

// degraded prints the gateway's reason why it cannot guarantee the feed.
func (s *show) degraded(f watch.Frame) error {
	var d struct {
		Since  time.Time `json:"since"`
		Reason string    `json:"reason"`
	}
	if err := json.Unmarshal(f.Data, &d); err != nil {
		return fmt.Errorf("read frame degraded: %w", err)
	}
	s.outdated(d.Since, "the gateway cannot guarantee the feed ("+d.Reason+")")
	return nil
}

// line formats an event as text.
func (s *show) line(f watch.Frame) string {
	head := f.At.Format("15:04:05.000") + "  "
	switch {
	case event.Type(f.Event).Valid():
		var data event.Data // a stream may have values that today's contract refuses
		if err := json.Unmarshal(f.Data, &data); err == nil && data.OrderID != "" {
			return head + s.order(f.Event, data) + "  " + f.ID
		}
	case f.Event == "notification":
		var n struct {
			Event string     `json:"event"`
			Data  event.Data `json:"data"`
		}
		if err := json.Unmarshal(f.Data, &n); err == nil {
			return head + s.order("notification", n.Data) + "  " + n.Event
		}
	}
	return head + fmt.Sprintf("%-20s  %s", text.Terminal(f.Event), text.Terminal(string(f.Data))) // new events may be added
}

func (s *show) order(name string, d event.Data) string {
	reference := d.Reference
	if reference == "" {
		reference = d.OrderID
	}
	return fmt.Sprintf("%-20s  %-12s  %-10s  %14s  v%d", name, text.Terminal(reference), d.Status,
		s.words.Amount(d.TotalAmount, d.Currency), d.Version)
}
