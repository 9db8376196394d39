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

// expectPrefix begins a message of a tenant's channel that names events to come: the JSON array of the [message.Commit] that led to
// them follows. What is published begins with a digit.
const expectPrefix = "expect "

// maxCommitBytes bounds the commits in one message beside [message.MaxCommits].
const maxCommitBytes = 64 << 10

// maxEventID is longer than every event id.
const maxEventID = 64

// Committed tells the relays that changes have been committed, and the watchers of each tenant what its orders are now and
// which event is to come, that of the tenant's last commit: an event that does not come shows that something on its way is
// down. Redis keeps nothing of it. The relays are told first, since the events wait for them.
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
		return wrap("tell of a commit", err)
	}
	return nil
}

// expectation returns the message that tells of at least one commit.
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

// expected returns the commits that a message of a tenant's channel tells of, if it is such a message. The last one's event is
// to come.
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
