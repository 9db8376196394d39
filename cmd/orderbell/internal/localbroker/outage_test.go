package localbroker_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/cmd/orderbell/internal/localbroker"
	"orderbell/internal/bus/record"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/order"
)

const (
	eventTopic  = "orders.events"
	letterTopic = "orders.dead-letters"
)

// kafka is the two topics, with one partition each, in memory. It is the broker's source and bus, and what the redrive reads.
type kafka struct {
	mu      sync.Mutex
	changed *sync.Cond
	topics  map[string][]record.Record
	closed  bool
}

func newKafka() *kafka {
	k := &kafka{topics: map[string][]record.Record{}}
	k.changed = sync.NewCond(&k.mu)
	return k
}

func (k *kafka) Send(_ context.Context, topic string, events []cloudevent.Event) []error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range events {
		k.topics[topic] = append(k.topics[topic], record.Record{Topic: topic, Offset: int64(len(k.topics[topic])), Time: time.Now(), Event: e})
	}
	k.changed.Broadcast()
	return make([]error, len(events))
}

func (k *kafka) Consume(ctx context.Context, _ string, inFlight int, handle func(context.Context, record.Record) error) error {
	slots := make(chan struct{}, inFlight)
	var handlers sync.WaitGroup
	defer handlers.Wait()
	for offset := 0; ; offset++ {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		k.mu.Lock()
		for len(k.topics[eventTopic]) == offset && !k.closed {
			k.changed.Wait()
		}
		if k.closed {
			k.mu.Unlock()
			return nil
		}
		r := k.topics[eventTopic][offset]
		k.mu.Unlock()
		handlers.Go(func() {
			defer func() { <-slots }()
			_ = handle(ctx, r) // its only error is the end
		})
	}
}

func (k *kafka) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	k.changed.Broadcast()
}

func (k *kafka) Spans(_ context.Context, topic string, _ time.Time) ([]record.Span, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.topics[topic]) == 0 {
		return nil, nil
	}
	return []record.Span{{To: int64(len(k.topics[topic]))}}, nil
}

func (k *kafka) Read(_ context.Context, topic string, spans []record.Span, each func(record.Record) error) error {
	for _, s := range spans {
		k.mu.Lock()
		records := k.topics[topic][s.From:s.To]
		k.mu.Unlock()
		for _, r := range records {
			if err := each(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// function is a subscriber that takes 20 ms for an event, and fails for some time.
type function struct {
	fails   func(id string, now time.Time) bool
	mu      sync.Mutex
	applied map[string]time.Time // by event, when it was first
}

func (f *function) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(20 * time.Millisecond)
	id := r.Header.Get("Ce-Id")
	answer := &http.Response{StatusCode: http.StatusAccepted, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails(id, time.Now()) {
		answer.StatusCode = http.StatusServiceUnavailable
		return answer, nil
	}
	if _, again := f.applied[id]; !again {
		f.applied[id] = time.Now()
	}
	return answer, nil
}

func (f *function) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.applied)
}

// outage is a time in which a function fails, with the load and the settings.
type outage struct {
	delivery localbroker.Delivery
	inFlight int
	length   time.Duration
	rate     int // events a second, before, during and after it
}

// aftermath is the result of an outage.
type aftermath struct {
	sent, missing int           // events; those that never were applied
	fresh         time.Duration // the longest time of an event that was sent in the minute after the outage
	all           time.Duration // from the end of the outage until the last event of it was applied
	letters       int           // in the topic of dead letters, without notes
}

// watch is how long the time after an outage is observed.
const watch = 3 * time.Hour

// run simulates the outage in a bubble of testing/synctest, where hours pass at once.
func (o outage) run(t *testing.T) aftermath {
	t.Helper()
	k := newKafka()
	began := time.Now()
	struck, healed := began.Add(time.Minute), began.Add(time.Minute+o.length)
	f := &function{applied: map[string]time.Time{}, fails: func(_ string, now time.Time) bool { return !now.Before(struck) && now.Before(healed) }}
	b, err := localbroker.New([]localbroker.Trigger{{
		Name: "order-paid", Type: event.OrderPaid, Subscriber: "http://order-paid/", InFlight: o.inFlight, Delivery: o.delivery,
	}}, localbroker.Topics{Events: eventTopic, DeadLetters: letterTopic}, k, k, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	b.Through(f)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := b.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	office := &deadletter.Office{Topics: deadletter.Topics{Events: eventTopic, DeadLetters: letterTopic}, Reader: k, Bus: k, PerSecond: 100}
	running.Go(func() { // the CronJob redrive
		for {
			select {
			case <-time.After(time.Minute):
			case <-ctx.Done():
				return
			}
			if _, err := office.Redrive(ctx, deadletter.Choice{Auto: true}, false); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	sent := map[string]time.Time{}
	for at := began; at.Before(healed.Add(time.Minute)); at = at.Add(time.Second / time.Duration(o.rate)) {
		time.Sleep(time.Until(at))
		e := payment(t)
		sent[e.ID()] = at
		k.Send(ctx, eventTopic, []cloudevent.Event{e})
	}
	for end := healed.Add(watch); f.count() < len(sent) && time.Now().Before(end); {
		time.Sleep(time.Minute)
	}
	cancel()
	k.close()
	running.Wait()
	a := aftermath{sent: len(sent)}
	for id, at := range sent {
		applied, ok := f.applied[id]
		if !ok {
			a.missing++
			continue
		}
		if at.Before(healed) {
			a.all = max(a.all, applied.Sub(healed))
		} else {
			a.fresh = max(a.fresh, applied.Sub(at))
		}
	}
	for _, r := range k.topics[letterTopic] {
		if r.Event.Type() == string(event.OrderPaid) {
			a.letters++
		}
	}
	return a
}

func payment(t *testing.T) cloudevent.Event {
	t.Helper()
	at := time.Now().UTC()
	e, err := cloudevent.New(event.Event{
		ID: uuid.Must(uuid.NewV7()).String(), Source: event.Source, Type: event.OrderPaid, Time: at,
		Data: event.Data{OrderID: uuid.NewString(), TenantID: "demo", Status: order.Paid, TotalAmount: 1, Currency: "EUR", Version: 2, Timestamp: at},
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func schedule(retry int, delay time.Duration) localbroker.Delivery {
	return localbroker.Delivery{Retry: retry, BackoffDelay: delay, Timeout: 30 * time.Second}
}

// TestOutages checks that the delivery of k8s/components/trigger keeps the promise of docs/adr/0021, and that others do not.
func TestOutages(t *testing.T) {
	t.Parallel()
	old, chosen := schedule(10, 500*time.Millisecond), schedule(6, 200*time.Millisecond)
	for name, test := range map[string]struct {
		outage
		least, most time.Duration // of an event that is sent in the minute after the outage
	}{
		"75 s as Knative's broker was seen, with its 50 events in flight": {
			outage{delivery: old, inFlight: 50, length: 75 * time.Second, rate: 20}, 50 * time.Second, 60 * time.Second,
		},
		"ten minutes with back-off in the broker": {
			outage{delivery: old, inFlight: 500, length: 10 * time.Minute, rate: 20}, 5 * time.Minute, 10 * time.Minute,
		},
		"10 s":               {outage{delivery: chosen, inFlight: 500, length: 10 * time.Second, rate: 40}, 0, time.Second},
		"75 s":               {outage{delivery: chosen, inFlight: 500, length: 75 * time.Second, rate: 20}, 0, time.Second},
		"an hour over lunch": {outage{delivery: chosen, inFlight: 500, length: time.Hour, rate: 1}, 0, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := test.run(t)
				t.Logf("%d events; the longest time of a fresh one %s, all after %s, %d dead letters", a.sent, a.fresh, a.all, a.letters)
				if a.missing > 0 {
					t.Errorf("%d of %d events were never applied", a.missing, a.sent)
				}
				if a.fresh < test.least || a.fresh > test.most {
					t.Errorf("after the outage a fresh event takes up to %s, want %s to %s", a.fresh, test.least, test.most)
				}
			})
		})
	}
}
