package orderapi_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/functions/internal/orderapi"
	"orderbell/internal/feed/message"
	"orderbell/internal/order"
)

// fails is a store that answers err.
type fails struct {
	orderapi.Store

	err error
}

func (f *fails) Create(_ context.Context, o order.Order, _ order.Request) (order.Answer, error) {
	return order.Answer{EventID: o.Reference, Event: []byte(`{"reference":"` + o.Reference + `"}`)}, f.err
}

func (f *fails) Change(context.Context, string, order.Status, order.Request) (order.Answer, error) {
	return order.Answer{}, f.err
}

func (f *fails) Undo(context.Context, string, int64, []order.Status, order.Request) (order.Answer, error) {
	return order.Answer{}, f.err
}

// told returns the message about the commit of an order with that reference.
func told(eventID string) message.Commit {
	return message.Commit{EventID: eventID, Data: []byte(`{"reference":"` + eventID + `"}`)}
}

func TestEachCommitWakesTheRelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		published := 0
		release := make(chan struct{})
		under := &fails{}
		store := orderapi.Hinted(ctx, under, func(context.Context, map[string][]message.Commit) error {
			published++
			<-release
			return errors.New("no Redis") // changes nothing
		})
		expect := func(want int, after string) {
			t.Helper()
			<-time.After(time.Second) // longer than the pause between two hints
			synctest.Wait()
			if published != want {
				t.Errorf("%d hints after %s, want %d", published, after, want)
			}
		}
		calls := map[string]func() error{
			"Create": func() error { _, err := store.Create(ctx, order.Order{}, order.Request{}); return err },
			"Change": func() error { _, err := store.Change(ctx, "", order.Paid, order.Request{}); return err },
			"Undo":   func() error { _, err := store.Undo(ctx, "", 2, nil, order.Request{}); return err },
		}
		want := 0
		for name, call := range calls {
			under.err = errors.New("refused")
			if err := call(); err == nil {
				t.Fatal("no error")
			}
			expect(want, name+" that failed")
			under.err = nil
			if err := call(); err != nil {
				t.Fatal(err)
			}
			want++
			expect(want, name)
			release <- struct{}{}
		}
		burst := func() {
			for range 100 {
				_ = calls["Create"]()
			}
		}
		burst()
		expect(want+1, "a burst")
		burst() // while the first one's hint is on its way
		release <- struct{}{}
		expect(want+2, "another burst")
		release <- struct{}{}
		expect(want+2, "the end of both")
	})
}

func TestEachTenantHearsOfItsCommits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		got := make(chan map[string][]message.Commit, 10)
		release := make(chan struct{})
		under := &fails{}
		store := orderapi.Hinted(ctx, under, func(_ context.Context, latest map[string][]message.Commit) error {
			got <- latest
			<-release
			return nil
		})
		commit := func(tenant, eventID string) {
			t.Helper()
			if _, err := store.Create(ctx, order.Order{Reference: eventID}, order.Request{TenantID: tenant}); err != nil {
				t.Fatal(err)
			}
		}
		commit("demo", "1")
		if diff := cmp.Diff(map[string][]message.Commit{"demo": {told("1")}}, <-got); diff != "" {
			t.Error(diff)
		}
		commit("demo", "2") // while the first hint is on its way
		commit("kopi", "3")
		commit("demo", "4")
		commit("kopi", "") // a repeated request makes no event
		release <- struct{}{}
		if diff := cmp.Diff(map[string][]message.Commit{"demo": {told("2"), told("4")}, "kopi": {told("3")}}, <-got); diff != "" {
			t.Error(diff)
		}
		for n := range 100 {
			commit("demo", strconv.Itoa(n))
		}
		release <- struct{}{}
		if latest := (<-got)["demo"]; len(latest) != message.MaxCommits || latest[len(latest)-1].EventID != "99" {
			t.Errorf("of 100 commits that wait, %d are told of: %+v, want the latest %d", len(latest), latest, message.MaxCommits)
		}
		close(release)
	})
}
