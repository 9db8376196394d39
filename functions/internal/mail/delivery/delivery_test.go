package delivery_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"orderbell/functions/internal/mail/delivery"
	"orderbell/internal/event"
	"orderbell/internal/mail"
	"orderbell/internal/order"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/user"
)

// testBundle is a courier on a real store, with a post office that the test controls.
type testBundle struct {
	*delivery.Courier
	store   *eventstore.Store
	exec    func(sql string, args ...any)
	scan    func(sql string, into ...any)
	metrics *sdkmetric.ManualReader
	log     *lockedBuffer

	mu    sync.Mutex
	lines chan struct{}
	open  func() error          // nil: the server is there
	send  func(mail.Mail) error // nil: the server takes all
	sent  []mail.Mail
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// post and line are the testBundle's.
type (
	post struct{ b *testBundle }
	line struct{ b *testBundle }
)

func (p post) TryLine() (mail.Line, bool) {
	select {
	case p.b.lines <- struct{}{}:
		return line(p), true
	default:
		return nil, false
	}
}

func (p post) Line(ctx context.Context) (mail.Line, error) {
	select {
	case p.b.lines <- struct{}{}:
		return line(p), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l line) Open(context.Context) error {
	if l.b.open == nil {
		return nil
	}
	return l.b.open()
}

func (l line) Send(_ context.Context, written mail.Mail) error {
	if l.b.send != nil {
		if err := l.b.send(written); err != nil {
			return err
		}
	}
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	l.b.sent = append(l.b.sent, written)
	return nil
}

func (l line) Close() { <-l.b.lines }

type writer struct{}

func (writer) Write(d mail.Due) (mail.Mail, error) {
	if d.Data.Reference == "unwritable" {
		return mail.Mail{}, errors.New("no template")
	}
	return mail.Mail{MessageID: d.MessageID, To: d.Email}, nil
}

func config() delivery.Config {
	return delivery.Config{TryLimit: time.Minute, MaxAttempts: 3, RetryBase: time.Minute, RetryMax: 90 * time.Second, MailsPerHour: 1000}
}

func setup(t *testing.T, cfg delivery.Config) *testBundle {
	t.Helper()
	pool := databasetest.New(t)
	b := &testBundle{store: eventstore.New(pool, "mail.example"), metrics: sdkmetric.NewManualReader(), lines: make(chan struct{}, 2)}
	b.exec = func(sql string, args ...any) {
		if _, err := pool.Exec(context.Background(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	b.scan = func(sql string, into ...any) {
		if err := pool.QueryRow(context.Background(), sql).Scan(into...); err != nil {
			t.Fatal(err)
		}
	}
	b.exec(`INSERT INTO tenants (id, name) VALUES ('demo', 'Kopi')`)
	for i := range 2 {
		b.exec(`INSERT INTO users (id, tenant_id, email, roles) VALUES ($1, 'demo', $2, '{owner}')`,
			uuid.NewString(), fmt.Sprintf("owner%d@demo.example", i))
	}
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(b.metrics)).Meter("test")
	b.log = &lockedBuffer{}
	c, err := delivery.New(cfg, b.store, post{b}, writer{}, slog.New(slog.NewTextHandler(b.log, nil)), meter)
	if err != nil {
		t.Fatal(err)
	}
	b.Courier = c
	t.Cleanup(func() { c.Drain(context.Background()) })
	return b
}

// due makes an event with two due e-mails.
func (b *testBundle) due(t *testing.T, reference string) event.Event {
	t.Helper()
	at := time.Now().UTC().Truncate(time.Millisecond)
	e := event.Event{
		ID: uuid.Must(uuid.NewV7()).String(), Source: event.Source, Type: event.OrderPaid, Time: at,
		Data: event.Data{
			OrderID: uuid.NewString(), TenantID: "demo", Status: order.Paid, Reference: reference,
			TotalAmount: 125000, Currency: "IDR", Version: 2, Timestamp: at,
		},
	}
	var err error
	if e.Raw, err = json.Marshal(e.Data); err != nil {
		t.Fatal(err)
	}
	if r, err := b.store.Apply(t.Context(), e, user.Audience{Roles: user.Sellers()}); err != nil || r.DueMails != 2 {
		t.Fatalf("got %+v, %v", r, err)
	}
	return e
}

// try tries an event's mails, and waits until no line is in use.
func (b *testBundle) try(t *testing.T, e event.Event) {
	t.Helper()
	b.TryEvent(t.Context(), e.Data.TenantID, e.Source, e.ID)
	b.Idle()
}

// rows counts e-mails by "status attempt ambiguous reason".
func (b *testBundle) rows() map[string]int {
	var got map[string]int
	b.scan(`SELECT coalesce(jsonb_object_agg(state, n), '{}') FROM (
		SELECT concat_ws(' ', status, attempt, ambiguous, reason) AS state, count(*) AS n FROM email_deliveries GROUP BY state
	) AS states`, &got)
	return got
}

func (b *testBundle) assertRows(t *testing.T, want map[string]int) {
	t.Helper()
	if diff := cmp.Diff(want, b.rows()); diff != "" {
		t.Error(diff)
	}
}

// counted returns the courier's counters by "name outcome".
func (b *testBundle) counted(t *testing.T) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := b.metrics.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum, ok := m.Data.(metricdata.Sum[int64])
			if !ok {
				continue
			}
			for _, p := range sum.DataPoints {
				outcome, _ := p.Attributes.Value(attribute.Key("outcome"))
				got[m.Name+" "+outcome.AsString()] = p.Value
			}
		}
	}
	return got
}

func (b *testBundle) assertCounted(t *testing.T, want map[string]int64) {
	t.Helper()
	if diff := cmp.Diff(want, b.counted(t)); diff != "" {
		t.Error(diff)
	}
}

// holding refuses every mail, as a server does that rejects the sender.
func holding(mail.Mail) error {
	return &mail.SendError{Fate: mail.Held, Code: 550, Err: errors.New("550 5.4.5 daily quota exceeded")}
}

func sendError(fate mail.Fate, code int, reason string) func(mail.Mail) error {
	return func(mail.Mail) error { return &mail.SendError{Fate: fate, Code: code, Err: errors.New(reason)} }
}

func TestTryEvent(t *testing.T) {
	t.Parallel()
	t.Run("the mails of an event are sent, and then other due mails", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.due(t, "another")
		e := b.due(t, "this")
		b.try(t, e)
		b.assertRows(t, map[string]int{"sent 1 0 ": 4})
		b.assertCounted(t, map[string]int64{"orderbell.mail sent": 4})
		if len(b.sent) != 4 || b.sent[0].MessageID == b.sent[1].MessageID || !strings.HasSuffix(b.sent[0].MessageID, "@mail.example") {
			t.Errorf("sent %+v", b.sent)
		}
	})
	t.Run("without a free line nothing is tried or waited for", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		e := b.due(t, "this")
		for range cap(b.lines) {
			b.lines <- struct{}{}
		}
		b.try(t, e)
		b.assertRows(t, map[string]int{"due 0 0 ": 2})
	})
	t.Run("a server that does not answer costs no attempt", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		e := b.due(t, "this")
		b.open = func() error { return errors.New("connection refused") }
		b.try(t, e)
		b.assertRows(t, map[string]int{"due 0 0 ": 2})
	})
	t.Run("after a broken connection the other mails stay due", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		e := b.due(t, "this")
		b.send = sendError(mail.Held, 0, "reset by peer")
		b.try(t, e)
		b.assertRows(t, map[string]int{"due 1 0 reset by peer": 1, "due 0 0 ": 1})
	})
	t.Run("a user who opts out between event and sending gets nothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		e := b.due(t, "this")
		b.exec(`UPDATE users SET notification_email_enabled = false WHERE email LIKE 'owner1%'`)
		b.try(t, e)
		b.assertRows(t, map[string]int{"suppressed 0 0 preference": 1, "sent 1 0 ": 1})
		b.assertCounted(t, map[string]int64{"orderbell.mail sent": 1, "orderbell.mail suppressed": 1})
	})
	t.Run("a user whose quiet hours began between event and sending gets the mail after them, with no attempt used", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		e := b.due(t, "this")
		quiet := time.Now().UTC().Add(-time.Hour).Format("15:04") + "-" + time.Now().UTC().Add(time.Hour).Format("15:04")
		b.exec(`UPDATE users SET quiet_hours = '` + quiet + `' WHERE email LIKE 'owner1%'`)
		b.try(t, e)
		b.assertRows(t, map[string]int{"due 0 0 quiet hours": 1, "sent 1 0 ": 1})
		b.assertCounted(t, map[string]int64{"orderbell.mail sent": 1, "orderbell.mail deferred": 1})
	})
	for name, limit := range map[string]func(*delivery.Config, context.Context) context.Context{
		"the limit": func(cfg *delivery.Config, ctx context.Context) context.Context {
			cfg.TryLimit = time.Nanosecond // also of claiming
			return ctx
		},
		"the event's deadline": func(cfg *delivery.Config, ctx context.Context) context.Context {
			cfg.TryLimit = time.Millisecond
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx
		},
	} {
		t.Run("a slow server is not waited for beyond "+name+", and its mail is not cut short", func(t *testing.T) {
			t.Parallel()
			cfg := config()
			ctx := limit(&cfg, t.Context())
			b := setup(t, cfg)
			e := b.due(t, "this")
			slow := make(chan struct{})
			b.send = func(mail.Mail) error {
				<-slow
				return nil
			}
			b.TryEvent(ctx, e.Data.TenantID, e.Source, e.ID)
			if n := b.rows()["sent 1 0 "]; n != 0 {
				t.Fatalf("%d were sent already", n)
			}
			close(slow)
			b.Idle()
			b.assertRows(t, map[string]int{"sent 1 0 ": 2})
		})
	}
	t.Run("a panic ends only the attempt, and releases the line", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		e := b.due(t, "this")
		b.send = func(mail.Mail) error { panic("boom") }
		b.try(t, e)
		if len(b.lines) != 0 {
			t.Error("the line is still taken")
		}
		b.assertRows(t, map[string]int{"due 1 0 ": 1, "due 0 0 ": 1}) // the lease expires
	})
}

func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.TryLimit = time.Nanosecond
	b := setup(t, cfg)
	e := b.due(t, "this")
	never := make(chan struct{})
	b.send = func(mail.Mail) error {
		<-never
		return nil
	}
	b.TryEvent(t.Context(), e.Data.TenantID, e.Source, e.ID)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.Drain(ctx) // returns
	close(never)
}
