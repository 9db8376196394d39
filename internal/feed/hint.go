package feed

import "context"

// hints is the channel that wakes the relays. No tenant's id begins with "~".
const hints = "orders:{~outbox}"

// Hint tells the relays that a transaction with events has committed. Only relays that listen at that moment receive
// it.
func (f *Feed) Hint(ctx context.Context) error {
	if err := f.client.Publish(ctx, hints, "").Err(); err != nil {
		return wrap("hint", err)
	}
	return nil
}

// Hints calls hinted for each received [Feed.Hint] until ctx ends. After a lost connection it subscribes again; hints
// in between are lost. hinted must not block.
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
