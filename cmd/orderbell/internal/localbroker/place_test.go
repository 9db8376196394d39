package localbroker_test

import (
	"context"
	"sync"

	"orderbell/internal/bus/record"
)

// place is a consumer group over kafka that continues at the first message that is not handled.
type place struct {
	*kafka

	early bool // an event counts as read when it is handed out
	next  int  // the first that is not done
}

func (p *place) Consume(ctx context.Context, _ string, inFlight int, handle func(context.Context, record.Record) error) error {
	done := map[int]bool{}
	slots := make(chan struct{}, inFlight)
	var handlers sync.WaitGroup
	defer handlers.Wait()
	stop := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.changed.Broadcast()
	})
	defer stop()
	for at := p.next; ; at++ {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		p.mu.Lock()
		for len(p.topics[eventTopic]) <= at && ctx.Err() == nil {
			p.changed.Wait()
		}
		if ctx.Err() != nil {
			p.mu.Unlock()
			return nil
		}
		r := p.topics[eventTopic][at]
		p.mu.Unlock()
		finish := func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			done[at] = true
			for done[p.next] {
				p.next++
			}
		}
		if p.early {
			finish()
		}
		handlers.Go(func() {
			defer func() { <-slots }()
			if handle(ctx, r) == nil {
				finish()
			}
		})
	}
}
