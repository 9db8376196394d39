package bustest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"orderbell/internal/bus"
	"orderbell/internal/bus/record"
	"orderbell/internal/event/cloudevent"
)

// errOnce is the error of handlers in these tests.
var errOnce = errors.New("not this time")

func testHandlerError(t *testing.T, server Server) {
	c := topics(t, server)
	send(t, newProducer(t, c), c.Topic, newEvent("a", 1), newEvent("a", 2), newEvent("a", 3))
	records := make(chan record.Record)
	failures := 3
	consume(t, c, "g-"+c.Topic, 1, func(ctx context.Context, r record.Record) error {
		_ = into(records)(ctx, r)
		if _, n := nth(t, r); n == 2 && failures > 0 {
			failures--
			return errOnce
		}
		return nil
	})
	for _, want := range []int{1, 2, 2, 2, 2, 3} {
		if _, n := nth(t, next(t, records)); n != want {
			t.Fatalf("event %d came, want %d", n, want)
		}
	}
}

func testCrash(t *testing.T, server Server) {
	c := topics(t, server)
	send(t, newProducer(t, c), c.Topic, newEvent("a", 1), newEvent("a", 2), newEvent("a", 3))
	group := "g-" + c.Topic
	inHand := make(chan struct{})
	first := consume(t, c, group, 1, func(ctx context.Context, r record.Record) error {
		if _, n := nth(t, r); n == 1 {
			return nil
		}
		close(inHand)
		<-ctx.Done() // dies while it handles event 2
		return ctx.Err()
	})
	select {
	case <-inHand:
	case <-deadline(t).Done():
		t.Fatal("event 2 did not come")
	}
	first.stop()
	records := make(chan record.Record)
	consume(t, c, group, 1, into(records))
	for want := 2; want <= 3; want++ {
		if _, n := nth(t, next(t, records)); n != want {
			t.Fatalf("event %d came, want %d: 1 was handled and its mark committed", n, want)
		}
	}
}

func testInFlight(t *testing.T, server Server) {
	c := topics(t, server)
	const many = 30
	var batch []cloudevent.Event
	for n := 1; n <= many; n++ {
		batch = append(batch, newEvent("a", n)) // one key: one partition
	}
	send(t, newProducer(t, c), c.Topic, batch...)
	group := "g-" + c.Topic
	handled := make(chan record.Record, many)
	first := consume(t, c, group, 8, func(ctx context.Context, r record.Record) error {
		if _, n := nth(t, r); n == 5 {
			<-ctx.Done()
			return ctx.Err()
		}
		return into(handled)(ctx, r)
	})
	for range many - 1 {
		next(t, handled) // all but 5 overtake it
	}
	first.stop()
	again := make(chan record.Record, many)
	consume(t, c, group, 1, into(again))
	for want := 5; want <= many; want++ {
		if _, n := nth(t, next(t, again)); n != want {
			t.Fatalf("event %d came, want %d: the mark has to stand before 5", n, want)
		}
	}
}

func testByKey(t *testing.T, server Server) {
	c := topics(t, server)
	const orders, many = 12, 8
	var batch []cloudevent.Event
	for n := 1; n <= many; n++ {
		for k := range orders {
			batch = append(batch, newEvent(fmt.Sprint("order-", k), n))
		}
	}
	send(t, newProducer(t, c), c.Topic, batch...)
	type one struct {
		key string
		n   int
	}
	var failed sync.Map
	var inHand, most atomic.Int32
	handled := make(chan one, orders*many)
	consumeByKey(t, c, "g-"+c.Topic, 16, func(_ context.Context, r record.Record) error {
		most.Store(max(most.Load(), inHand.Add(1)))
		defer inHand.Add(-1)
		runtime.Gosched()
		key, n := nth(t, r)
		if _, again := failed.LoadOrStore(one{key, n}, true); !again && n%3 == 0 {
			return errors.New("not yet")
		}
		handled <- one{key, n}
		return nil
	})
	last := map[string]int{}
	for range orders * many {
		select {
		case o := <-handled:
			if o.n != last[o.key]+1 {
				t.Fatalf("%s: event %d came after %d", o.key, o.n, last[o.key])
			}
			last[o.key] = o.n
		case <-time.After(patience):
			t.Fatalf("events are missing: %v", last)
		}
	}
	if most.Load() < 2 {
		t.Error("keys waited for each other, want several under way at once")
	}
}

func testRebalance(t *testing.T, server Server) {
	c := topics(t, server)
	producer := newProducer(t, c)
	group := "g-" + c.Topic
	const keys = 20
	seen := progress{t: t, last: map[string]int{}, members: map[string]bool{}}
	sent := 0
	publish := func() {
		sent++
		var batch []cloudevent.Event
		for k := range keys {
			batch = append(batch, newEvent(fmt.Sprint("order-", k), sent))
		}
		send(t, producer, c.Topic, batch...)
	}
	first := consume(t, c, group, 1, seen.handler("first"))
	publish()
	eventually(t, func() error { return seen.complete(keys, sent) })
	second := consume(t, c, group, 1, seen.handler("second"))
	eventually(t, func() error { // until the second has a share
		publish()
		if !seen.by("second") {
			return errors.New("the second member got nothing")
		}
		return nil
	})
	first.stop()
	publish()
	eventually(t, func() error { return seen.complete(keys, sent) })
	second.stop()
}

// progress is what members of a group have handled between them.
type progress struct {
	t       *testing.T
	mu      sync.Mutex
	last    map[string]int
	members map[string]bool
}

func (p *progress) handler(member string) func(context.Context, record.Record) error {
	return func(_ context.Context, r record.Record) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.members[member] = true
		key, n := nth(p.t, r)
		if n > p.last[key]+1 { // a repeated message is not a loss
			p.t.Errorf("%s: event %d came after %d", key, n, p.last[key])
		}
		p.last[key] = max(p.last[key], n)
		return nil
	}
}

func (p *progress) by(member string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.members[member]
}

func (p *progress) complete(keys, n int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k := range keys {
		if key := fmt.Sprint("order-", k); p.last[key] < n {
			return fmt.Errorf("%s: %d of %d came", key, p.last[key], n)
		}
	}
	return nil
}

func testLatest(t *testing.T, server Server) {
	c := topics(t, server)
	producer := newProducer(t, c)
	send(t, producer, c.Topic, newEvent("old", 1))
	records := make(chan record.Record, 1000)
	consumeFrom(t, c, bus.Latest, "g-"+c.Topic, 1, into(records))
	n := 0
	eventually(t, func() error { // the start of the group cannot be observed: send until something arrives
		n++
		send(t, producer, c.Topic, newEvent("new", n))
		select {
		case r := <-records:
			if key, _ := nth(t, r); key != "new" {
				t.Errorf("the message of key %q came", key)
			}
			return nil
		default:
			return errors.New("nothing came")
		}
	})
}

// clockSkew is how far the clocks of a test and of its Kafka may be apart.
const clockSkew = 2 * time.Second

func testLag(t *testing.T, server Server) {
	c := topics(t, server)
	producer, admin := newProducer(t, c), newAdmin(t, c)
	group := "g-" + c.Topic
	var batch []cloudevent.Event
	for n := 1; n <= 20; n++ {
		batch = append(batch, newEvent(fmt.Sprint("order-", n), n))
	}
	send(t, producer, c.Topic, batch...)
	total := func() int64 {
		lag, err := admin.Lag(deadline(t), group)
		if err != nil {
			t.Fatal(err)
		}
		if len(lag) != partitions {
			t.Fatalf("lag of %d partitions, want %d", len(lag), partitions)
		}
		var sum int64
		for _, n := range lag {
			sum += n
		}
		return sum
	}
	if got := total(); got != 20 {
		t.Errorf("a group that does not exist: lag %d, want all 20", got)
	}
	records := make(chan record.Record)
	m := consume(t, c, group, 1, into(records))
	for range 20 {
		next(t, records)
	}
	m.stop()
	if got := total(); got != 0 {
		t.Errorf("lag %d after all were handled and the member left, want 0", got)
	}
	waiting := func() bus.Waiting {
		w, err := admin.Waiting(deadline(t), group)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	if w := waiting(); w != (bus.Waiting{}) {
		t.Errorf("%+v waits after all were handled", w)
	}
	before := time.Now().Add(-clockSkew)
	send(t, producer, c.Topic, newEvent("order-1", 21), newEvent("order-1", 22))
	if got := total(); got != 2 {
		t.Errorf("lag %d after two more, want 2", got)
	}
	if w := waiting(); w.Messages != 2 || w.Oldest.Before(before) || w.Oldest.After(time.Now().Add(clockSkew)) {
		t.Errorf("%+v waits, want 2 since now", w)
	}
}
