package gateway_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/feed/message"
	"orderbell/internal/order"
)

// TestAnyInterleaving changes orders while events are delivered late, repeatedly, concurrently and in any order, functions die
// at every step, channels lose messages, Redis loses its data, gateways restart and streams are cut. Afterwards each watcher's
// screen shows what the database has, and nothing has happened twice.
func TestAnyInterleaving(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		troubles map[happening]int
	}{
		// With fewer kinds of faults, fewer effects of one are repaired by another.
		{"of deliveries", map[happening]int{}},
		{"of deliveries and streams", map[happening]int{cut: 2, leave: 1, comeBack: 2, late: 1, inTime: 2}},
		{"of everything but loss", map[happening]int{cut: 2, leave: 1, comeBack: 2, late: 1, inTime: 2, restart: 1}},
		{"of everything", map[happening]int{cut: 2, leave: 2, comeBack: 2, late: 1, inTime: 2, restart: 1, trim: 1, forget: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := openShop(t)
			likely := []happening{create, create, change, change, change, tell, tell, relay, relay, relay, deliver, deliver, deliver, deliver, again}
			for h, n := range tt.troubles {
				likely = append(likely, slices.Repeat([]happening{h}, n)...)
			}
			slices.Sort(likely) // so that a repeated run draws the same
			rapid.Check(t, func(rt *rapid.T) { s.anyInterleaving(t, rt, likely) })
		})
	}
}

func (s *shop) anyInterleaving(t *testing.T, rt *rapid.T, likely []happening) {
	t.Helper()
	s.begin(t)
	r := &run{shop: s}
	r.watchers = []*watcher{
		s.watch(t.Context(), s.owner, s.token(t, s.owner)), s.watch(t.Context(), s.viewer, s.token(t, s.viewer)),
	}
	defer r.watchers[0].stop()
	defer r.watchers[1].stop()
	for range rapid.IntRange(1, 60).Draw(rt, "steps") {
		r.happen(t, rt, rapid.SampledFrom(likely).Draw(rt, "then"))
	}
	r.calm(t, rt)
	for _, w := range r.watchers {
		w.settle(rt)
	}
	r.once(t, rt)
}

// happening is one thing that happens between a till and a screen.
type happening string

const (
	create   happening = "an order is made"
	change   happening = "an order changes"
	tell     happening = "watchers are told of a commit, late perhaps, or again"
	relay    happening = "the relay sends"
	deliver  happening = "an event is delivered"
	again    happening = "an event that was delivered comes again"
	cut      happening = "a stream is cut"
	leave    happening = "a watcher goes away"
	comeBack happening = "a watcher comes back"
	late     happening = "snapshots take longer"
	inTime   happening = "late snapshots come in"
	restart  happening = "the gateway is killed"
	trim     happening = "the stream is trimmed to its newest entry"
	forget   happening = "Redis loses its memory"
)

// run is one history: the events between outbox and function, and what has happened so far.
type run struct {
	*shop

	watchers []*watcher
	commits  []message.Commit
	underWay []event.Event // the broker has them, and no function has answered with 202
	done     []event.Event
	forgot   bool // Redis has lost some of its memory
}

func (r *run) happen(t *testing.T, rt *rapid.T, h happening) {
	t.Helper()
	someone := func() *watcher { return r.watchers[rapid.IntRange(0, 1).Draw(rt, "watcher")] }
	switch h {
	case create:
		r.commits = append(r.commits, r.create(t))
	case change:
		r.change(t, rt)
	case tell:
		if len(r.commits) > 0 {
			c := r.commits[rapid.IntRange(0, len(r.commits)-1).Draw(rt, "commit")]
			if err := r.feed.Committed(t.Context(), map[string][]message.Commit{r.tenant: {c}}); err != nil {
				t.Fatal(err)
			}
		}
	case relay:
		r.relay(t, rapid.IntRange(0, 3).Draw(rt, "0: it dies before its mark") > 0)
	case deliver:
		r.deliver(t, rt)
	case again:
		if len(r.done) > 0 {
			r.underWay = append(r.underWay, r.done[rapid.IntRange(0, len(r.done)-1).Draw(rt, "event")])
		}
	case cut:
		someone().cut()
	case leave:
		someone().leave()
	case comeBack:
		someone().comeBack()
	case late:
		someone().slow(true)
	case inTime:
		someone().slow(false)
	case restart:
		r.restart(t)
	case trim:
		r.forgot = true
		r.trim(t)
	case forget:
		r.forgot = true
		r.redis.FlushAll()
	}
}

func (r *run) change(t *testing.T, rt *rapid.T) {
	t.Helper()
	open := slices.DeleteFunc(r.truth(t.Context()), func(o order.Order) bool { return len(o.Status.Next()) == 0 })
	if len(open) == 0 {
		return
	}
	slices.SortFunc(open, func(a, b order.Order) int { return a.CreatedAt.Compare(b.CreatedAt) })
	o := open[rapid.IntRange(0, len(open)-1).Draw(rt, "order")]
	next := o.Status.Next()
	r.commits = append(r.commits, r.advance(t, o.ID, next[rapid.IntRange(0, len(next)-1).Draw(rt, "status")]))
}

// relay takes what is in the outbox to the broker. If it dies before its mark, it will send all of it again.
func (r *run) relay(t *testing.T, marks bool) int {
	t.Helper()
	sent, err := r.outbox.Take(t.Context(), 0, 16, 1000, func(_ context.Context, rows []event.Outgoing) (positions []int64) {
		for _, row := range rows {
			ce, err := cloudevent.FromOutbox(row)
			if err != nil {
				t.Error(err)
				continue
			}
			e, err := cloudevent.Parse(ce)
			if err != nil {
				t.Error(err)
			}
			r.underWay = append(r.underWay, e)
			positions = append(positions, row.Position)
		}
		if !marks {
			return nil
		}
		return positions
	})
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// deliver delivers a random event that is under way, with or without an accident.
func (r *run) deliver(t *testing.T, rt *rapid.T) {
	t.Helper()
	if len(r.underWay) == 0 {
		return
	}
	i := rapid.IntRange(0, len(r.underWay)-1).Draw(rt, "event")
	a := rapid.SampledFrom(accidents()).Draw(rt, "accident")
	at := rapid.IntRange(1, 3).Draw(rt, "at once")
	e := r.underWay[i]
	var all sync.WaitGroup
	errs := make([]error, at)
	for j := range at {
		all.Go(func() { errs[j] = r.handle(t.Context(), e, a) })
	}
	all.Wait()
	for _, err := range errs {
		if a == none && err != nil {
			t.Fatalf("%d deliveries at once of event %s: %v", at, e.ID, err)
		}
		if err == nil { // answered with 202: the broker is done with it
			r.done = append(r.done, e)
			r.underWay = slices.Delete(r.underWay, i, i+1)
			return
		}
	}
}

// calm ends all faults: every watcher is connected, and every event under way is delivered.
func (r *run) calm(t *testing.T, rt *rapid.T) {
	t.Helper()
	for r.relay(t, true) > 0 {
	}
	for len(r.underWay) > 0 {
		i := rapid.IntRange(0, len(r.underWay)-1).Draw(rt, "left")
		if err := r.handle(t.Context(), r.underWay[i], none); err != nil {
			t.Fatal(err)
		}
		r.underWay = slices.Delete(r.underWay, i, i+1)
	}
}

// once checks that each event was recorded once, and published once to its recipients.
func (r *run) once(t *testing.T, rt *rapid.T) {
	t.Helper()
	changes := r.count(t, `SELECT count(*) FROM outbox WHERE tenant_id = $1`)
	paid := r.count(t, `SELECT count(*) FROM outbox WHERE tenant_id = $1 AND type = 'order_paid'`)
	want := map[string]int{"records": changes, "notifications": paid, "e-mails": paid}
	got := map[string]int{
		"records":       r.count(t, `SELECT count(*) FROM event_records WHERE tenant_id = $1`),
		"notifications": r.count(t, `SELECT count(*) FROM notifications WHERE tenant_id = $1`),
		"e-mails":       r.count(t, `SELECT count(*) FROM email_deliveries WHERE tenant_id = $1`),
	}
	if !r.forgot { // else an event that comes again is published again
		want["entries of the stream"], got["entries of the stream"] = changes, r.entries(t)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		rt.Fatalf("(-want +got):\n%s", diff)
	}
}
