package feedtest

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/dev/waittest"
	"orderbell/internal/feed/message"
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
		case <-tick.C: // the subscription may not exist yet
		case <-ctx.Done():
			t.Fatal("the hint was not heard")
		}
	}
}

// Promise is a call of [Sink.Expected].
type Promise struct {
	TenantID string
	Commits  []message.Commit
}

// Expected implements [feed.Sink].
func (s Sink) Expected(tenantID string, commits []message.Commit) {
	s.Promises <- Promise{tenantID, commits}
}

// commits: a follower receives the commits of its tenants only.
func commits(t *testing.T, url string) {
	f, sender := Open(t, Config(url)), Open(t, Config(url))
	tenant, other := Tenant(), Tenant()
	sink := Run(t, f)
	f.Follow(tenant)
	sink.Next(t) // confirmed
	committed := []message.Commit{
		{EventID: "0192d3c5-0000-7000-8000-000000000001", Data: []byte(`{"reference":"Å \"1\" <b>"}`)},
		{EventID: "0192d3c5-0000-7000-8000-000000000002", Data: []byte(`{"version":2}`)},
	}
	elsewhere := []message.Commit{{EventID: "0192d3c5-0000-7000-8000-000000000003", Data: []byte(`{}`)}}
	if err := sender.Committed(t.Context(), map[string][]message.Commit{tenant: committed, other: elsewhere}); err != nil {
		t.Fatal(err)
	}
	m := Message(tenant, 1)
	publish(t, sender, tenant, m)
	if got := sink.Next(t); got.Published.Message.ID != m.ID {
		t.Errorf("the sink receives %+v, want the message alone: a commit is not a message", got)
	}
	select {
	case got := <-sink.Promises:
		for i := range got.Commits {
			got.Commits[i].Data = unescaped(t, got.Commits[i].Data)
		}
		if diff := cmp.Diff(Promise{tenant, committed}, got); diff != "" {
			t.Errorf("the sink expects something else (-want +got):\n%s", diff)
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

// unescaped returns the same JSON without escapes that JSON does not need.
func unescaped(t *testing.T, data []byte) []byte {
	t.Helper()
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(out.Bytes())
}
