package feed

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"orderbell/internal/feed/message"
)

// hints is the channel that wakes the relays. No tenant's id begins with "~".
const hints = "orders:{~outbox}"

// expectPrefix begins a message of a tenant's channel that announces events. A JSON array of [message.Commit] follows. Published
// messages begin with a digit.
const expectPrefix = "expect "

// maxCommitBytes bounds the commits in one message beside [message.MaxCommits].
const maxCommitBytes = 64 << 10

// maxEventID is longer than every event id.
const maxEventID = 64

// Committed tells the relays that changes have been committed. It sends the watchers of each tenant the new state of its orders, and
// announces the event of the tenant's last commit: if that event does not arrive, something on its way is down. Redis stores
// none of it. The relays are told first, since the events wait for them.
func (f *Feed) Committed(ctx context.Context, commits map[string][]message.Commit) error {
	errs := append(make([]error, 0, len(commits)+1), f.Hint(ctx))
	for tenantID, those := range commits {
		payload, err := expectation(those)
		if err == nil {
			err = f.tell.Run(ctx, f.client, []string{channel(tenantID)}, payload, f.cfg.Sharded).Err()
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return wrap("announce a commit", err)
	}
	return nil
}

// expectation returns the message that announces at least one commit.
func expectation(commits []message.Commit) (string, error) {
	bytes := 0
	from := len(commits)
	for ; from > 0 && len(commits)-from < message.MaxCommits; from-- {
		if bytes += len(commits[from-1].Data); bytes > maxCommitBytes {
			break
		}
	}
	list, err := json.Marshal(commits[from:])
	if err != nil {
		return "", wrap("encode commits", err)
	}
	return expectPrefix + string(list), nil
}

// expected returns the commits that a message of a tenant's channel announces, and false for any other message. The event of the
// last commit must follow.
func expected(payload string) (commits []message.Commit, ok bool) {
	list, ok := strings.CutPrefix(payload, expectPrefix)
	if !ok || json.Unmarshal([]byte(list), &commits) != nil || len(commits) == 0 {
		return nil, false
	}
	for _, c := range commits {
		if c.EventID == "" || len(c.EventID) > maxEventID {
			return nil, false
		}
	}
	return commits, true
}

// Hint tells the relays that a transaction with events has committed. Only relays that listen at that moment receive
// it.
func (f *Feed) Hint(ctx context.Context) error {
	if err := f.client.Publish(ctx, hints, "").Err(); err != nil {
		return wrap("hint", err)
	}
	return nil
}

// Hints calls hinted for each [Feed.Hint] that it receives, until ctx ends. It subscribes again after a lost connection, and if the
// subscription is at a server that hints no longer reach. It calls hinted then too, since hints may have been missed. hinted must not
// block.
func (f *Feed) Hints(ctx context.Context, hinted func()) {
	for f.hearHints(ctx, hinted) {
		hinted()
	}
}

// hearHints receives the hints of one subscription, and returns false when ctx ends. It checks the subscription as [Feed.Run] does.
func (f *Feed) hearHints(ctx context.Context, hinted func()) bool {
	check := hints + ":" + rand.Text()
	subscription := f.client.Subscribe(ctx, hints, check)
	defer func() { _ = subscription.Close() }() // the subscription is not used any more
	messages := subscription.Channel()
	every := time.NewTicker(checkEvery)
	defer every.Stop()
	var waits time.Time // when the first message that has not come back was sent on check; zero: all came back
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

// sent reports whether a server accepted a message on the channel.
func (f *Feed) sent(ctx context.Context, channel string) bool {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	return f.client.Publish(ctx, channel, "").Err() == nil
}
