package feed

import "context"

// hints is the channel that wakes the relays. No tenant's name begins with "~".
const hints = "orders:{~outbox}"

// Hint tells the relays that a transaction with events has committed. Only relays that listen at that moment hear it.
func (f *Feed) Hint(ctx context.Context) error {
	if err := f.client.Publish(ctx, hints, "").Err(); err != nil {
		return wrap("hint", err)
	}
	return nil
}

// Hints calls hinted for each [Feed.Hint] it hears, until ctx ends. It subscribes again after a lost connection and misses
// what was published meanwhile. hinted must not block.
func (f *Feed) Hints(ctx context.Context, hinted func()) {
	subscription := f.client.Subscribe(ctx, hints)
	defer func() { _ = subscription.Close() }() // nothing is left to lose
	messages := subscription.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-messages:
			if !open {
				return
			}
			hinted()
		}
	}
}
