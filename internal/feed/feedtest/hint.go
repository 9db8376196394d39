package feedtest

import (
	"context"
	"testing"
	"time"
)

// hints: a listener hears a hint of another client.
func hints(t *testing.T, url string) {
	listener, sender := Open(t, Config(url)), Open(t, Config(url))
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	heard := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		listener.Hints(ctx, func() {
			select {
			case heard <- struct{}{}:
			default:
			}
		})
	}()
	defer func() {
		cancel()
		<-done
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := sender.Hint(ctx); err != nil {
			t.Fatal(err)
		}
		select {
		case <-heard:
			return
		case <-tick.C: // the subscription may not stand yet
		case <-ctx.Done():
			t.Fatal("the hint was not heard")
		}
	}
}
