package feedtest

import (
	"context"
	"testing"
	"time"

	"orderbell/internal/dev/waittest"
)

// hints: a listener hears a hint of another client.
func hints(t *testing.T, url string) {
	listener, sender := Open(t, Config(url)), Open(t, Config(url))
	ctx, cancel := context.WithTimeout(t.Context(), waittest.Patience)
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

// commits: a follower hears which event is to come, of its tenants alone, and a relay is woken.
func commits(t *testing.T, url string) {
	f, sender := Open(t, Config(url)), Open(t, Config(url))
	tenant, other := Tenant(), Tenant()
	sink := Run(t, f)
	f.Follow(tenant)
	sink.Next(t) // confirmed
	if err := sender.Committed(t.Context(), map[string]string{tenant: "0192d3c5-0000-7000-8000-000000000001", other: "0192d3c5-0000-7000-8000-000000000002"}); err != nil {
		t.Fatal(err)
	}
	m := Message(tenant, 1)
	publish(t, sender, tenant, m)
	if got := sink.Next(t); got.Published.Message.ID != m.ID {
		t.Errorf("the sink hears %+v, want the message alone: what is to come is no message", got)
	}
	select {
	case got := <-sink.Promises:
		if want := (Promise{tenant, "0192d3c5-0000-7000-8000-000000000001"}); got != want {
			t.Errorf("the sink expects %+v, want %+v", got, want)
		}
	default:
		t.Error("the sink expects nothing")
	}
	select {
	case got := <-sink.Promises:
		t.Errorf("the sink expects %+v too", got)
	default:
	}
}
