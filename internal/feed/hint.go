package feed

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"
)

// hints is the channel that wakes the relays. No tenant's id begins with "~".
const hints = "orders:{~outbox}"

// expectPrefix begins a message of a tenant's channel that announces an event. Published messages begin with a digit.
const expectPrefix = "expect "

// maxEventID is longer than every event id.
const maxEventID = 64

// Committed tells the relays that a transaction with events has committed, and announces the event to the watchers of each tenant:
// if it does not arrive, a part of its path is down. Nothing is stored. The relays are told first, because the event waits for
// them.
func (f *Feed) Committed(ctx context.Context, latest map[string]string) error {
	errs := append(make([]error, 0, len(latest)+1), f.Hint(ctx))
	for tenantID, eventID := range latest {
		errs = append(errs, f.tell.Run(ctx, f.client, []string{channel(tenantID)}, expectPrefix+eventID, f.cfg.Sharded).Err())
	}
	if err := errors.Join(errs...); err != nil {
		return wrap("tell of a commit", err)
	}
	return nil
}

// expected returns the announced event if the message is an announcement.
func expected(payload string) (eventID string, ok bool) {
	eventID, ok = strings.CutPrefix(payload, expectPrefix)
	return eventID, ok && eventID != "" && len(eventID) <= maxEventID
}

// Hint tells the relays that a transaction with events has committed. Only relays that listen at that moment receive
// it.
func (f *Feed) Hint(ctx context.Context) error {
	if err := f.client.Publish(ctx, hints, "").Err(); err != nil {
		return wrap("hint", err)
	}
	return nil
}

// Hints calls hinted for each [Feed.Hint] it hears, until ctx ends. It subscribes again after a lost connection, and when the
// subscription has stayed with a server that hints do not reach any more. It calls hinted then too, since hints may have been
// missed. hinted must not block.
func (f *Feed) Hints(ctx context.Context, hinted func()) {
	for f.hearHints(ctx, hinted) {
		hinted()
	}
}

// hearHints hears the hints of one subscription, and returns false when ctx ends. It is checked as those of [Feed.Run] are.
func (f *Feed) hearHints(ctx context.Context, hinted func()) bool {
	check := hints + ":" + rand.Text()
	subscription := f.client.Subscribe(ctx, hints, check)
	defer func() { _ = subscription.Close() }() // nothing is left to lose
	messages := subscription.Channel()
	every := time.NewTicker(checkEvery)
	defer every.Stop()
	var waits time.Time // when the first message was sent on check that has not come; zero: all came
	for {
		select {
		case <-ctx.Done():
			return false
		case m, open := <-messages:
			switch {
			case !open:
				return ctx.Err() == nil
			case m.Channel == check:
				waits = time.Time{}
			default:
				hinted()
			}
		case now := <-every.C:
			if !waits.IsZero() && now.Sub(waits) > checkPatience {
				return true
			}
			if f.sent(ctx, check) && waits.IsZero() {
				waits = now
			}
		}
	}
}

// sent says whether a server took a message on the channel.
func (f *Feed) sent(ctx context.Context, channel string) bool {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	return f.client.Publish(ctx, channel, "").Err() == nil
}
