package localbroker_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/metric/noop"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/cmd/orderbell/internal/localbroker"
	"orderbell/internal/audit"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/feed/message"
	"orderbell/internal/order"
	"orderbell/internal/pipeline"
	"orderbell/internal/user"
)

// plant is a fault that a simulation must find.
type plant string

const (
	none            plant = ""
	markBeforeSend  plant = "the relay marks an event before it sends it"
	applyTwice      plant = "the store applies an event that it has applied"
	publishTwice    plant = "the feed publishes an event that it has published"
	commitFirst     plant = "the broker counts an event as read before it is delivered"
	loseLetters     plant = "a dead letter is acknowledged and not written"
	loseRedriven    plant = "a redriven event is acknowledged and not written"
	keepLastChange  plant = "a watcher keeps the change that came last, not the one with the highest version"
	answerTooEarly  plant = "a function answers 202 before it has published"
	dropForever     plant = "an event is not repaired that the broker has dropped"
	historyEvents         = 12
	historyOrders         = 3
	simulatedOutage       = 3 * time.Minute // at most
)

func plants() []plant {
	return []plant{markBeforeSend, applyTwice, publishTwice, commitFirst, loseLetters, loseRedriven, keepLastChange, answerTooEarly, dropForever}
}

// healed are faults that the repair corrects, so they are found only without it.
func healed() []plant { return []plant{markBeforeSend, commitFirst, answerTooEarly} }

// history is one run of the event path: a relay, the local broker, the pipeline of a function and the redrive, over stores in memory
// and the clock of a synctest bubble. Everything that goes wrong is drawn from the seed, by the place where it happens and how often
// that was reached, so that a seed repeats what happened.
type history struct {
	seed    uint64
	plant   plant
	repairs bool
	topic   *kafka
	group   *place
	calm    time.Time // nothing goes wrong from then on

	mu       sync.Mutex
	visits   map[string]int
	records  map[string]int   // by event, how often it was applied
	streamed []event.Data     // the tenant's stream
	marks    map[string]bool  // events that the feed knows
	inStream map[string]int   // by event
	versions map[string]int64 // of orders, as the database has them
	recorded map[string]time.Time
	outbox   []audit.Sent
}

var errSimulated = errors.New("simulated")

// fails reports whether this place fails, one time in n.
func (h *history) fails(place string, n int) bool {
	h.mu.Lock()
	h.visits[place]++
	visit := h.visits[place]
	h.mu.Unlock()
	return time.Now().Before(h.calm) && h.random(place, visit).IntN(n) == 0
}

// latency is how long an event is on its way, each time.
func (h *history) latency(id string) time.Duration {
	h.mu.Lock()
	h.visits["latency "+id]++
	visit := h.visits["latency "+id]
	h.mu.Unlock()
	return time.Duration(h.random("latency "+id, visit).Int64N(int64(100 * time.Millisecond)))
}

func (h *history) random(place string, visit int) *rand.Rand {
	sum := h.seed
	for _, b := range []byte(place) {
		sum = (sum ^ uint64(b)) * 1099511628211 // FNV-1a
	}
	return rand.New(rand.NewPCG(sum, uint64(visit))) //nolint:gosec // chance is repeated on purpose
}

// Apply is the event store: it may fail before or after its commit.
func (h *history) Apply(_ context.Context, e event.Event, _ user.Audience) (event.Receipt, error) {
	if h.fails("apply "+e.ID, 4) {
		return event.Receipt{}, errSimulated
	}
	h.mu.Lock()
	again := h.records[e.ID] > 0
	if !again || h.plant == applyTwice {
		h.records[e.ID]++
		h.recorded[e.ID] = time.Now()
	}
	h.mu.Unlock()
	if h.fails("applied "+e.ID, 4) {
		return event.Receipt{}, errSimulated
	}
	if again {
		return event.Receipt{Outcome: event.Duplicate}, nil
	}
	return event.Receipt{Outcome: event.Applied}, nil
}

func (h *history) SourceAllowed(context.Context, string, string) (bool, error) { return true, nil }

// Publish is the feed: it may fail before or after it has published.
func (h *history) Publish(_ context.Context, _ string, m message.Message) error {
	if h.fails("publish "+m.ID, 4) {
		return errSimulated
	}
	data, err := event.ParseData(m.Data)
	if err != nil {
		return err
	}
	h.mu.Lock()
	if !h.marks[m.ID] || h.plant == publishTwice {
		h.marks[m.ID] = true
		h.inStream[m.ID]++
		h.streamed = append(h.streamed, data)
	}
	h.mu.Unlock()
	if h.fails("published "+m.ID, 4) {
		return errSimulated
	}
	return nil
}

// Send is Kafka for the broker and the redrive: it may refuse an event, or accept it and report an error.
func (h *history) Send(ctx context.Context, topic string, events []cloudevent.Event) []error {
	errs := make([]error, len(events))
	for i, e := range events {
		place := topic + " " + e.Type() + " " + e.ID()
		if e.Type() != string(event.OrderStatusUpdated) {
			place = topic + " " + e.Type() + " " + e.Subject() // a note's id is new each time
		}
		if h.fails("send "+place, 4) || topic == letterTopic && h.refusesLetters() {
			errs[i] = errSimulated
			continue
		}
		letter := topic == letterTopic && e.Type() == string(event.OrderStatusUpdated)
		lost := letter && h.plant == loseLetters || topic == eventTopic && h.plant == loseRedriven
		if !lost {
			h.topic.Send(ctx, topic, events[i:i+1])
		}
		if h.fails("sent "+place, 4) {
			errs[i] = errSimulated
		}
	}
	return errs
}

// RoundTrip is the way to the function and back: a request or its answer may be lost.
func (h *history) RoundTrip(r *http.Request) (*http.Response, error) {
	id := r.Header.Get("Ce-Id")
	if h.fails("request "+id, 5) {
		return nil, errSimulated
	}
	time.Sleep(h.latency(id)) // so that no two events are at the same step at the same moment, and a seed repeats their order
	status := h.serve(r)
	if h.fails("answer "+id, 5) {
		return nil, errSimulated
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(nil)), Request: r}, nil
}

func (h *history) serve(r *http.Request) int {
	ce, err := binding.ToEvent(r.Context(), cehttp.NewMessage(r.Header, r.Body))
	if err != nil {
		return http.StatusBadRequest
	}
	e, err := cloudevent.Parse(*ce)
	if err != nil {
		return http.StatusBadRequest
	}
	p, err := pipeline.New(pipeline.Config{RetentionDays: 45}, h, h, nil, slog.New(slog.DiscardHandler), noop.Meter{})
	if err != nil {
		return http.StatusInternalServerError
	}
	err = p.Handle(r.Context(), e)
	var temporary interface{ Temporary() bool }
	if h.plant == answerTooEarly && errors.As(err, &temporary) {
		err = nil
	}
	if err != nil {
		return http.StatusServiceUnavailable
	}
	return http.StatusAccepted
}

// run runs the history, and returns what is wrong at its end.
func (h *history) run(t *testing.T) []string {
	t.Helper()
	h.topic, h.visits = newKafka(), map[string]int{}
	h.records, h.marks, h.inStream, h.versions = map[string]int{}, map[string]bool{}, map[string]int{}, map[string]int64{}
	h.recorded, h.outbox = map[string]time.Time{}, nil
	h.group = &place{kafka: h.topic, early: h.plant == commitFirst}
	h.calm = time.Now().Add(simulatedOutage)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	events := h.relay(ctx, &running)
	running.Go(func() { h.broker(ctx, t) })
	office := &deadletter.Office{Topics: deadletter.Topics{Events: eventTopic, DeadLetters: letterTopic}, Reader: h.topic, Bus: h}
	repair := h.repair()
	open := func() int {
		letters, err := office.List(ctx, deadletter.Filter{Open: true})
		if err != nil {
			t.Error(err)
		}
		return len(letters)
	}
	for end := h.calm.Add(6 * time.Hour); time.Now().Before(end); {
		time.Sleep(time.Minute)
		if time.Now().After(h.calm.Add(2*time.Minute)) && open() == 0 && len(h.wrong(events, 0)) == 0 {
			break
		}
		_, _ = office.Redrive(ctx, deadletter.Choice{Auto: true}, false) // what failed goes the next time
		if h.repairs {
			_, _ = office.Repair(ctx, repair, false)
		}
	}
	cancel()
	h.topic.close()
	running.Wait()
	return h.wrong(events, open())
}

// relay writes the orders' changes, and sends each at least once: it marks after the send, and may die in between.
func (h *history) relay(ctx context.Context, running *sync.WaitGroup) []string {
	var events []cloudevent.Event
	var ids []string
	for i := range historyEvents {
		data := event.Data{
			OrderID: h.id(fmt.Sprint("order ", i%historyOrders)), TenantID: "demo", Status: order.Preparing, TotalAmount: 1, Currency: "EUR",
			Version: int64(i/historyOrders + 1), Timestamp: time.Now().UTC(),
		}
		e, err := cloudevent.New(event.Event{
			ID: h.id(fmt.Sprint("event ", i)), Source: event.Source, Type: event.OrderStatusUpdated, Time: data.Timestamp, Data: data,
		})
		if err != nil {
			panic(err) // a fault of the test itself
		}
		events, ids = append(events, e), append(ids, e.ID())
		h.versions[data.OrderID] = data.Version
	}
	running.Go(func() {
		for _, e := range events {
			time.Sleep(time.Duration(h.random("pause "+e.ID(), 0).Int64N(int64(10 * time.Second))))
			for h.plant != markBeforeSend || !h.fails("died "+e.ID(), 4) {
				h.topic.Send(ctx, eventTopic, []cloudevent.Event{e})
				if !h.fails("died "+e.ID(), 4) {
					break
				}
			}
			h.mark(e)
		}
	})
	return ids
}

// id returns a UUID of version 7 that the seed and the name decide.
func (h *history) id(name string) string {
	r := h.random(name, 0)
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], r.Uint64())
	binary.BigEndian.PutUint64(id[8:], r.Uint64())
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return id.String()
}

// broker runs the local broker, which dies now and then. It continues at the first event that is not delivered.
func (h *history) broker(ctx context.Context, t *testing.T) {
	t.Helper()
	for life := 0; ctx.Err() == nil; life++ {
		b, err := localbroker.New([]localbroker.Trigger{{
			Name: "order-status-updated", Type: event.OrderStatusUpdated, Subscriber: "http://order-status-updated/", InFlight: 5,
			Delivery: schedule(6, 200*time.Millisecond),
		}}, localbroker.Topics{Events: eventTopic, DeadLetters: letterTopic}, h.group, h, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Error(err)
			return
		}
		b.Through(h)
		living, die := context.WithCancel(ctx)
		if time.Now().Before(h.calm) {
			time.AfterFunc(time.Duration(h.random("life", life).Int64N(int64(2*time.Minute)))+time.Second, die) // a drop takes 51 s
		}
		_ = b.Run(living) // its only error is the end
		die()
	}
}

// wrong compares all stores.
func (h *history) wrong(events []string, open int) (found []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range events {
		if n := h.records[id]; n != 1 {
			found = append(found, fmt.Sprintf("event %s was applied %d times", id, n))
		}
		if n := h.inStream[id]; n != 1 {
			found = append(found, fmt.Sprintf("event %s is in the stream %d times", id, n))
		}
	}
	if open > 0 {
		found = append(found, fmt.Sprintf("%d dead letters are open", open))
	}
	seen := map[string]int64{}
	for _, d := range h.streamed {
		if d.Version > seen[d.OrderID] || h.plant == keepLastChange {
			seen[d.OrderID] = d.Version
		}
	}
	if !maps.Equal(seen, h.versions) {
		found = append(found, fmt.Sprintf("a watcher sees the versions %v, the database has %v", seen, h.versions))
	}
	slices.Sort(found)
	return found
}

// TestAnyHistory runs ten thousand histories, or a thousand with -short. A failure names its seed, and runs again by its name.
func TestAnyHistory(t *testing.T) {
	t.Parallel()
	const parts = 16
	all := uint64(10_000)
	if testing.Short() {
		all = 1_000
	}
	for part := range uint64(parts) {
		t.Run(fmt.Sprint("part ", part), func(t *testing.T) {
			t.Parallel()
			for seed := part; seed < all; seed += parts {
				if wrong := simulate(t, seed, none); len(wrong) > 0 {
					t.Fatalf("seed %d: %v; repeated: %v", seed, wrong, simulate(t, seed, none))
				}
			}
		})
	}
}

func simulate(t *testing.T, seed uint64, p plant) (wrong []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &history{seed: seed, plant: p, repairs: p != dropForever && !slices.Contains(healed(), p)}
		wrong = h.run(t)
	})
	return wrong
}

// TestPlantedMistakesAreFound checks that each fault is found within a hundred histories, and again by its seed.
func TestPlantedMistakesAreFound(t *testing.T) {
	t.Parallel()
	for _, p := range plants() {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(100) {
				wrong := simulate(t, seed, p)
				if len(wrong) == 0 {
					continue
				}
				t.Logf("seed %d: %s", seed, wrong[0])
				if again := simulate(t, seed, p); len(again) == 0 {
					t.Errorf("seed %d does not find it again", seed)
				}
				return
			}
			t.Error("a hundred histories did not find it")
		})
	}
}
