package relay_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"orderbell/internal/bus/record"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
	"orderbell/outbox-relay/internal/relay"
)

// queue is an outbox in memory, for the rules of one batch that do not depend on a database.
type queue struct {
	mu      sync.Mutex
	waiting []event.Outgoing
	empty   chan struct{} // closed when nothing waits any more

	measuring sync.Once
	measured  chan struct{} // closed when the first measurement has begun
}

func newQueue(events ...event.Outgoing) *queue {
	for i := range events {
		events[i].Position = int64(i + 1)
	}
	return &queue{waiting: events, empty: make(chan struct{}), measured: make(chan struct{})}
}

func (q *queue) Take(ctx context.Context, _, _, most int, send func(context.Context, []event.Outgoing) []int64) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := q.waiting[:min(most, len(q.waiting))]
	if len(batch) == 0 {
		return 0, nil
	}
	sent := send(ctx, slices.Clone(batch))
	n := len(batch)
	q.waiting = slices.DeleteFunc(q.waiting, func(e event.Outgoing) bool { return slices.Contains(sent, e.Position) })
	if len(q.waiting) == 0 {
		close(q.empty)
	}
	return n, nil
}

func (q *queue) Backlog(context.Context) (int64, time.Duration, error) {
	q.measuring.Do(func() { close(q.measured) })
	return 7, 3 * time.Second, nil
}

// scripted is a bus that notes its requests and answers as told.
type scripted struct {
	answer   func(request int, topic string, e cloudevent.Event) error
	mu       sync.Mutex
	requests []string // "topic: id id …"
	letters  []cloudevent.Event
}

func (b *scripted) Send(_ context.Context, topic string, events []cloudevent.Event) []error {
	b.mu.Lock()
	defer b.mu.Unlock()
	errs := make([]error, len(events))
	ids := make([]string, len(events))
	for i, e := range events {
		ids[i] = e.Extensions()[cloudevent.ExtPartitionKey].(string)[:1] + e.Extensions()["traceparent"].(string)
		if b.answer != nil {
			errs[i] = b.answer(len(b.requests), topic, e)
		}
		if topic == "dead" {
			b.letters = append(b.letters, e)
		}
	}
	b.requests = append(b.requests, topic+": "+strings.Join(ids, " "))
	return errs
}

// outgoing is an event of the order whose id begins with letter; name tells it from the others in a scripted bus.
func outgoing(t *testing.T, letter, name string) event.Outgoing {
	t.Helper()
	id := letter + uuid.NewSHA1(uuid.Nil, []byte(letter)).String()[1:]
	return event.Outgoing{
		ID: uuid.Must(uuid.NewV7()).String(), Source: event.Source, Type: event.OrderCreated, TenantID: "demo", OrderID: id,
		Time: time.Now(), TraceParent: name, Raw: orderData(t, id, 1),
	}
}

// relayAll relays q through b until nothing waits.
func relayAll(t *testing.T, q *queue, b *scripted, meter metric.Meter) {
	t.Helper()
	relayAllIn(t.Context(), t, q, b, meter)
}

func relayAllIn(ctx context.Context, t *testing.T, q *queue, b *scripted, meter metric.Meter) {
	t.Helper()
	cfg := relay.Config{Workers: 1, BatchSize: 100, IdleInterval: time.Second, LagGroups: []string{"order-paid", "gone"}}
	r, err := relay.New(cfg, relay.Topics{Events: "events", DeadLetters: "dead"}, q, b, groups{}, slog.New(slog.DiscardHandler), meter)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r.Start(ctx)
	for _, reached := range []chan struct{}{q.empty, q.measured} {
		select {
		case <-reached:
		case <-ctx.Done():
			t.Error("events still wait, or nothing was measured")
		}
	}
	cancel()
	r.Wait(context.WithoutCancel(ctx))
}

type groups struct{}

func (groups) Lag(_ context.Context, group string) (map[int32]int64, error) {
	if group == "gone" {
		return nil, errors.New("no such group")
	}
	return map[int32]int64{0: 5, 3: 11}, nil
}

var errAway = errors.New("away")

func TestBatch(t *testing.T) {
	t.Parallel()

	t.Run("no request carries two events of an order", func(t *testing.T) {
		t.Parallel()
		b := &scripted{}
		relayAll(t, newQueue(outgoing(t, "a", "1"), outgoing(t, "b", "1"), outgoing(t, "a", "2"), outgoing(t, "a", "3"), outgoing(t, "c", "1")),
			b, noop.Meter{})
		if diff := cmp.Diff([]string{"events: a1 b1 c1", "events: a2", "events: a3"}, b.requests); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("a failure holds back its own order only", func(t *testing.T) {
		t.Parallel()
		b := &scripted{answer: func(request int, _ string, e cloudevent.Event) error {
			if request == 0 && strings.HasPrefix(e.Subject(), "a") {
				return errAway
			}
			return nil
		}}
		relayAll(t, newQueue(outgoing(t, "a", "1"), outgoing(t, "b", "1"), outgoing(t, "a", "2"), outgoing(t, "b", "2")), b, noop.Meter{})
		if diff := cmp.Diff([]string{"events: a1 b1", "events: b2", "events: a1", "events: a2"}, b.requests); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("an event that Kafka refuses becomes a dead letter and holds back nothing", func(t *testing.T) {
		t.Parallel()
		b := &scripted{answer: func(_ int, topic string, e cloudevent.Event) error {
			if topic == "events" && e.Extensions()["traceparent"] == "1" {
				return record.ErrRefused
			}
			return nil
		}}
		relayAll(t, newQueue(outgoing(t, "a", "1"), outgoing(t, "a", "2")), b, noop.Meter{})
		if diff := cmp.Diff([]string{"events: a1", "dead: a1", "events: a2"}, b.requests); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("a dead letter that fails is tried again before its order goes on", func(t *testing.T) {
		t.Parallel()
		bad := outgoing(t, "a", "1")
		bad.Raw = []byte("{")
		b := &scripted{answer: func(request int, _ string, _ cloudevent.Event) error {
			if request == 0 {
				return errAway
			}
			return nil
		}}
		relayAll(t, newQueue(bad, outgoing(t, "a", "2")), b, noop.Meter{})
		if diff := cmp.Diff([]string{"dead: a1", "dead: a1", "events: a2"}, b.requests); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEventsThatBreakTheContract(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*event.Outgoing)
		reason string
	}{
		"data that is not JSON":      {func(e *event.Outgoing) { e.Raw = []byte("\x00") }, "data is not valid JSON"},
		"data without end":           {func(e *event.Outgoing) { e.Raw = []byte(strings.Repeat("x", 600<<10)) }, "data cut"},
		"another order's data":       {func(e *event.Outgoing) { e.OrderID = uuid.NewString() }, "data.order_id"},
		"another tenant's data":      {func(e *event.Outgoing) { e.TenantID = "other" }, "data.tenant_id"},
		"a type without a function":  {func(e *event.Outgoing) { e.Type = "order_lost" }, `type "order_lost" is unknown`},
		"no type":                    {func(e *event.Outgoing) { e.Type = "" }, `type "" is unknown`},
		"a type that is too long":    {func(e *event.Outgoing) { e.Type = event.Type(strings.Repeat("x", 2<<20)) }, "is unknown"},
		"a source that is not a URI": {func(e *event.Outgoing) { e.Source = "%zz" }, "source"},
		"a tenant that is not an id": {func(e *event.Outgoing) { e.TenantID = "\n" }, "data.tenant_id"},
		"a source that is too long":  {func(e *event.Outgoing) { e.Source = "/" + strings.Repeat("x", 3<<20); e.Raw = nil }, "data"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := outgoing(t, "a", "1")
			bad.TraceParent = ""
			tt.change(&bad)
			letter := deadletter.FromOutbox(bad, reasonOf(t, bad))
			if err := letter.Validate(); err != nil {
				t.Error(err)
			}
			if got, _ := letter.Extensions()[deadletter.ExtReason].(string); !strings.Contains(got, tt.reason) {
				t.Errorf("reason %q, want %q in it", got, tt.reason)
			}
			if letter.ID() != bad.ID || letter.Subject() != bad.OrderID {
				t.Errorf("the dead letter is of event %s and order %s", letter.ID(), letter.Subject())
			}
			if size := len(letter.String()); size > 900_000 {
				t.Errorf("the dead letter has %d bytes, which no topic takes", size)
			}
		})
	}
}

func reasonOf(t *testing.T, e event.Outgoing) error {
	t.Helper()
	_, err := cloudevent.FromOutbox(e)
	var invalid *event.InvalidError
	if !errors.As(err, &invalid) {
		t.Fatalf("error %v, want one of the contract", err)
	}
	return err
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	bad := outgoing(t, "c", "1")
	bad.Raw = nil
	b := &scripted{answer: func(request int, _ string, _ cloudevent.Event) error {
		if request == 0 {
			return errAway
		}
		return nil
	}}
	relayAll(t, newQueue(outgoing(t, "a", "1"), outgoing(t, "b", "1"), bad), b, provider.Meter("test"))
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				got[m.Name+labels(p.Attributes)] = float64(p.Value)
			}
		case metricdata.Gauge[int64]:
			for _, p := range data.DataPoints {
				got[m.Name+labels(p.Attributes)] = float64(p.Value)
			}
		case metricdata.Gauge[float64]:
			for _, p := range data.DataPoints {
				got[m.Name+labels(p.Attributes)] = p.Value
			}
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				got[m.Name+" count"] += float64(p.Count)
			}
		}
	}
	want := map[string]float64{
		"orderbell.outbox.sent_events{type=order_created}": 2, "orderbell.outbox.dead_letters": 1, "orderbell.outbox.failed_batches": 1,
		"orderbell.outbox.wait count": 2, "orderbell.outbox.unsent_events": 7, "orderbell.outbox.oldest_unsent": 3,
		"orderbell.consumer.lag{group=order-paid,partition=0}": 5, "orderbell.consumer.lag{group=order-paid,partition=3}": 11,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func labels(set attribute.Set) string {
	if set.Len() == 0 {
		return ""
	}
	return "{" + set.Encoded(attribute.DefaultEncoder()) + "}"
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := relay.Config{Workers: 2, BatchSize: 1000, IdleInterval: 250 * time.Millisecond}
	for name, tt := range map[string]struct {
		change func(*relay.Config)
		want   string
	}{
		"as it is by default": {func(*relay.Config) {}, ""},
		"no worker":           {func(c *relay.Config) { c.Workers = 0 }, "RELAY_WORKERS is 0, want 1 to 16"},
		"too many workers":    {func(c *relay.Config) { c.Workers = 17 }, "RELAY_WORKERS is 17"},
		"an empty batch":      {func(c *relay.Config) { c.BatchSize = 0 }, "RELAY_BATCH_SIZE is 0"},
		"a huge batch":        {func(c *relay.Config) { c.BatchSize = 1 << 20 }, "RELAY_BATCH_SIZE is 1048576"},
		"no rest":             {func(c *relay.Config) { c.IdleInterval = 0 }, "RELAY_IDLE_INTERVAL is 0s, want 2ms or more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := good
			tt.change(&cfg)
			_, err := relay.New(cfg, relay.Topics{}, nil, nil, nil, nil, noop.Meter{})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}
