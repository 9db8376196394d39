package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"orderbell/internal/event"
	"orderbell/internal/feed/message"
	"orderbell/internal/order"
	"orderbell/internal/pipeline"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/user"
)

const ownerID = "0193b5a2-aaaa-7000-8000-000000000001"

// testBundle is a pipeline on a real database, whose feed and mail record their calls.
type testBundle struct {
	*pipeline.Pipeline
	store     *eventstore.Store
	exec      func(sql string)
	count     func(sql string) int
	metrics   *sdkmetric.ManualReader
	steps     []string // "publish <id>", "mail <id>"
	published []message.Message
	tenants   []string
	feedError error
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	pool := databasetest.New(t)
	b := &testBundle{store: eventstore.New(pool, "mail.example"), metrics: sdkmetric.NewManualReader()}
	b.exec = func(sql string) {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	b.count = func(sql string) (n int) {
		if err := pool.QueryRow(t.Context(), sql).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	b.exec(`INSERT INTO tenants (id, name) VALUES ('demo', 'Kopi')`)
	b.exec(`INSERT INTO users (id, tenant_id, email, roles) VALUES ('` + ownerID + `', 'demo', 'owner@demo.example', '{owner}')`)
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(b.metrics)).Meter("test")
	p, err := pipeline.New(pipeline.Config{RetentionDays: 45}, b.store, b, b, slog.New(slog.DiscardHandler), meter)
	if err != nil {
		t.Fatal(err)
	}
	b.Pipeline = p
	return b
}

func (b *testBundle) Publish(_ context.Context, tenantID string, m message.Message) error {
	b.steps = append(b.steps, "publish "+m.ID)
	if b.feedError != nil {
		return b.feedError
	}
	b.tenants = append(b.tenants, tenantID)
	b.published = append(b.published, m)
	return nil
}

func (b *testBundle) TryEvent(_ context.Context, _, source, eventID string) {
	b.steps = append(b.steps, "mail "+eventID+" "+source)
}

func newMessage(t *testing.T, e event.Event, to []event.Recipient) message.Message {
	t.Helper()
	m, err := message.New(e, to)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func newEvent(t *testing.T, s order.Status, at time.Time) event.Event {
	t.Helper()
	at = at.UTC().Truncate(time.Millisecond)
	e := event.Event{
		ID: uuid.Must(uuid.NewV7()).String(), Source: event.Source, Type: event.TypeFor(s), Time: at,
		Data: event.Data{
			OrderID: uuid.Must(uuid.NewV7()).String(), TenantID: "demo", Status: s, Reference: "A-1042",
			TotalAmount: 125000, Currency: "IDR", Version: 2, Timestamp: at,
		},
	}
	var err error
	if e.Raw, err = json.Marshal(e.Data); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestHandle(t *testing.T) {
	t.Parallel()
	t.Run("a paid order is applied, published and mailed, in this order", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		e := newEvent(t, order.Paid, time.Now().Add(time.Second)) // after the start of the program: not cold
		e.TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		if err := b.Handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if got := b.published[0].TraceParent; got != e.TraceParent {
			t.Errorf("the message to Redis has the traceparent %q, want the event's", got)
		}
		if diff := cmp.Diff([]string{"publish " + e.ID, "mail " + e.ID + " " + e.Source}, b.steps); diff != "" {
			t.Error(diff)
		}
		if len(b.published[0].Recipients) != 1 || b.published[0].Recipients[0].UserID != ownerID || b.tenants[0] != "demo" {
			t.Errorf("published %+v to %v", b.published[0], b.tenants)
		}
		want := newMessage(t, e, b.published[0].Recipients)
		if diff := cmp.Diff(want, b.published[0]); diff != "" {
			t.Error(diff)
		}
	})
	for _, s := range []order.Status{order.Submitted, order.Ready, order.Cancelled} {
		t.Run("an order that is "+string(s)+" is published without notifications", func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			e := newEvent(t, s, time.Now())
			if err := b.Handle(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"publish " + e.ID}, b.steps); diff != "" || len(b.published[0].Recipients) != 0 {
				t.Errorf("%s, published %+v", diff, b.published)
			}
		})
	}
	t.Run("a repeated event is published again and its mail is tried, but nothing is new", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		e := newEvent(t, order.Paid, time.Now())
		for range 3 {
			if err := b.Handle(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		if len(b.steps) != 6 {
			t.Errorf("steps: %v", b.steps)
		}
		want := b.published[0]
		want.Again = true
		if diff := cmp.Diff(want, b.published[2]); diff != "" {
			t.Errorf("the third message differs: %s", diff)
		}
		if n := b.count("SELECT (SELECT count(*) FROM notifications) + (SELECT count(*) FROM email_deliveries)"); n != 2 {
			t.Errorf("%d notifications and e-mails", n)
		}
	})
	t.Run("a mail that was sent is not tried again for a repeated event", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		e := newEvent(t, order.Paid, time.Now())
		if err := b.Handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		b.exec("UPDATE email_deliveries SET status = 'sent'")
		if err := b.Handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if last := b.steps[len(b.steps)-1]; last != "publish "+e.ID {
			t.Errorf("steps: %v", b.steps)
		}
	})
	t.Run("an undone change is published without notifications or mails", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.exec(`UPDATE users SET notification_in_app_events = '{order_paid,order_status_updated}',
			notification_email_events = '{order_paid,order_status_updated}'`)
		e := newEvent(t, order.Preparing, time.Now())
		if err := b.Handle(t.Context(), e); err != nil || len(b.published[0].Recipients) == 0 {
			t.Fatalf("the change itself notifies %v, %v", b.published, err)
		}
		undo := newEvent(t, order.Preparing, time.Now())
		undo.Data.Status, undo.Data.Undone, undo.Data.Version = order.Paid, order.Preparing, e.Data.Version+1
		for range 2 { // delivered again, too
			if err := b.Handle(t.Context(), undo); err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range b.published[1:] {
			if m.Event != event.OrderStatusUpdated || !strings.Contains(string(m.Data), `"status":"paid"`) || len(m.Recipients) != 0 {
				t.Errorf("published %+v, want the order as paid, without recipients", m)
			}
		}
		if diff := cmp.Diff([]string{"publish " + e.ID, "mail " + e.ID + " " + e.Source, "publish " + undo.ID, "publish " + undo.ID}, b.steps); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a redelivery repairs a crash between applying and publishing", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		e := newEvent(t, order.Paid, time.Now().Add(time.Second)) // after the start of the program: not cold
		// These are the steps before the process died.
		first, err := b.store.Apply(t.Context(), e, pipeline.Audience(e.Type))
		if err != nil || first.Outcome != event.Applied {
			t.Fatalf("got %+v, %v", first, err)
		}
		if err := b.Handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		want := newMessage(t, e, first.Recipients)
		want.Again = true // it may have been published already
		if diff := cmp.Diff(want, b.published[0]); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a feed that does not answer is a temporary error, and no mail is sent before it answers", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.feedError = errors.New("connection refused")
		e := newEvent(t, order.Paid, time.Now())
		err := b.Handle(t.Context(), e)
		var temporary interface{ Temporary() bool }
		if !errors.As(err, &temporary) || !temporary.Temporary() || !errors.Is(err, b.feedError) {
			t.Errorf("got %v", err)
		}
		if diff := cmp.Diff([]string{"publish " + e.ID}, b.steps); diff != "" {
			t.Error(diff)
		}
		b.feedError = nil
		if err := b.Handle(t.Context(), e); err != nil || len(b.published) != 1 {
			t.Errorf("published %d, %v", len(b.published), err)
		}
	})
}

func TestHandleRefuses(t *testing.T) {
	t.Parallel()
	t.Run("an event of a source is refused until the source is allowed for its tenant", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		e := newEvent(t, order.Paid, time.Now())
		e.Source = "/somebody/else"
		b.exec(`INSERT INTO tenants (id, name) VALUES ('kopi', 'Senja'); INSERT INTO event_sources (source, tenant_id, allowed_by)
			VALUES ('/somebody/else', 'kopi', 'test'), ('/somebody', 'demo', 'test')`)
		err := b.Handle(t.Context(), e)
		var invalid *event.InvalidError
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), `source "/somebody/else" may not send events for tenant "demo"`) {
			t.Errorf("got %v", err)
		}
		if n := b.count("SELECT (SELECT count(*) FROM event_records) + (SELECT count(*) FROM notifications)"); n != 0 || len(b.steps) != 0 {
			t.Errorf("%d rows, steps %v", n, b.steps)
		}
		b.exec(`INSERT INTO event_sources (source, tenant_id, allowed_by) VALUES ('/somebody/else', 'demo', 'test')`)
		if err := b.Handle(t.Context(), e); err != nil || len(b.published) != 1 {
			t.Errorf("allowed: %v, published %d", err, len(b.published))
		}
	})
	for name, at := range map[string]time.Time{
		"before the oldest day kept":    time.Now().AddDate(0, 0, -46),
		"ahead of any clock":            time.Now().Add(2 * time.Hour),
		"in the year the world started": time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Hour),
	} {
		t.Run("an event "+name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			err := b.Handle(t.Context(), newEvent(t, order.Paid, at))
			var refused *event.InvalidError
			if !errors.As(err, &refused) || refused.Field != "time" {
				t.Errorf("got %v", err)
			}
			if n := b.count("SELECT count(*) FROM event_records"); n != 0 || len(b.steps) > 0 {
				t.Errorf("%d records, steps %v", n, b.steps)
			}
		})
	}
	t.Run("an event of the oldest kept day is applied", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		if err := b.Handle(t.Context(), newEvent(t, order.Paid, time.Now().AddDate(0, 0, -45))); err != nil {
			t.Error(err)
		}
	})
	t.Run("the same id with other data, which is not published", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		e := newEvent(t, order.Paid, time.Now())
		if err := b.Handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		e.Raw = append(e.Raw, ' ')
		if err := b.Handle(t.Context(), e); !errors.Is(err, event.ErrPayloadConflict) {
			t.Errorf("got %v", err)
		}
		if len(b.published) != 1 {
			t.Errorf("published %d", len(b.published))
		}
	})
	t.Run("a retention of no days", func(t *testing.T) {
		t.Parallel()
		_, err := pipeline.New(pipeline.Config{}, nil, nil, nil, nil, sdkmetric.NewMeterProvider().Meter(""))
		if err == nil || !strings.Contains(err.Error(), "EVENT_RECORDS_RETENTION_DAYS") {
			t.Errorf("got %v", err)
		}
	})
}

func TestHandleCounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	e := newEvent(t, order.Paid, time.Now())
	for _, err := range []error{b.Handle(t.Context(), e), b.Handle(t.Context(), e)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	e.Raw = append(e.Raw, ' ')
	_ = b.Handle(t.Context(), e)
	_ = b.Handle(t.Context(), newEvent(t, order.Submitted, time.Now().AddDate(-1, 0, 0)))
	b.feedError = errors.New("away")
	_ = b.Handle(t.Context(), newEvent(t, order.Submitted, time.Now()))
	var all metricdata.ResourceMetrics
	if err := b.metrics.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		sum, ok := m.Data.(metricdata.Sum[int64])
		if !ok || m.Name != "orderbell.events" {
			continue
		}
		for _, p := range sum.DataPoints {
			kind, _ := p.Attributes.Value(attribute.Key("type"))
			outcome, _ := p.Attributes.Value(attribute.Key("outcome"))
			got[kind.AsString()+" "+outcome.AsString()] = p.Value
		}
	}
	want := map[string]int64{
		"order_paid applied": 1, "order_paid duplicate": 1, "order_paid conflict": 1, "order_created invalid": 1, "order_created failed": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAudience(t *testing.T) {
	t.Parallel()
	for kind, want := range map[event.Type]user.Audience{
		event.OrderPaid:          {Roles: []user.Role{user.Owner, user.Manager, user.Cashier}},
		event.OrderCreated:       {Roles: []user.Role{user.Owner, user.Manager, user.Cashier, user.Kitchen}, OnRequest: true},
		event.OrderStatusUpdated: {Roles: []user.Role{user.Owner, user.Manager, user.Cashier, user.Kitchen}, OnRequest: true},
		"order_eaten":            {},
	} {
		if diff := cmp.Diff(want, pipeline.Audience(kind)); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
	}
}
