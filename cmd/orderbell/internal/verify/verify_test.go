package verify_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/metric/noop"

	"orderbell/cmd/orderbell/internal/auditstore"
	"orderbell/cmd/orderbell/internal/verify"
	"orderbell/internal/audit"
	"orderbell/internal/duration"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/feed"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/order"
	"orderbell/internal/pipeline"
	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/store/orderstore"
	"orderbell/internal/store/outbox"
)

const (
	tenant    = "demo"
	replayTTL = 15 * time.Minute
)

// world is a database, a Redis and a mailbox, and everything that moves events between them except Kafka.
type world struct {
	t      *testing.T
	pool   *database.Pool
	orders *orderstore.Store
	outbox *outbox.Outbox
	events *eventstore.Store
	feed   *feed.Feed
	redis  *redis.Client // a connection of its own
	pipe   *pipeline.Pipeline
	box    *mailpit
	began  time.Time
}

func setup(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, pool: databasetest.New(t), box: &mailpit{}, began: time.Now().Add(-time.Second)}
	w.orders, w.outbox, w.events = orderstore.New(w.pool), outbox.New(w.pool), eventstore.New(w.pool, "orderbell.example")
	server, client := feedtest.InMemory(t)
	var err error
	if w.feed, err = feed.Open(feed.Config{URL: server.URL(), ReplayTTL: duration.Seconds(replayTTL), ReplayMax: 4096, ReplayBytes: 8 << 20, Sharded: "auto"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.feed.Close() })
	w.redis = client
	w.pipe, err = pipeline.New(pipeline.Config{RetentionDays: 45}, w.events, w.feed, nil, slog.New(slog.DiscardHandler), noop.Meter{})
	if err != nil {
		t.Fatal(err)
	}
	w.exec(`INSERT INTO tenants (id, name) VALUES ('demo', 'Demo'), ('kopi', 'Kopi')`)
	for _, u := range []struct{ tenant, name, roles string }{
		{"demo", "owner", "{owner}"}, {"demo", "cashier", "{cashier}"}, {"demo", "cook", "{kitchen}"}, {"kopi", "owner", "{owner}"},
	} {
		w.exec(`INSERT INTO users (id, tenant_id, email, roles) VALUES (gen_random_uuid(), $1, $2, $3::text[])`, u.tenant, u.name+"@x.example", u.roles)
	}
	w.exec(`UPDATE users SET notification_email_enabled = false WHERE email LIKE 'cashier%'`)
	// Streams that began well before, as any but a first one has.
	for _, id := range []string{"demo", "kopi"} {
		old := strconv.FormatInt(time.Now().Add(-time.Minute).UnixMilli(), 10) + "-0"
		payload, err := json.Marshal(feedtest.Message(id, 1))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.redis.XAdd(t.Context(), &redis.XAddArgs{
			Stream: "orders:{" + id + "}:stream", ID: old, Values: []string{"p", "0-0", "d", string(payload)},
		}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.pool.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

// one reads a single text.
func (w *world) one(sql string, args ...any) (s string) {
	w.t.Helper()
	if err := w.pool.QueryRow(w.t.Context(), sql, args...).Scan(&s); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// sell makes n orders of the tenant and pays them.
func (w *world) sell(tenantID string, n int) {
	w.t.Helper()
	for range n {
		made, err := w.orders.Create(w.t.Context(), order.Order{TotalAmount: 1250, Currency: "EUR"}, order.Request{TenantID: tenantID})
		if err == nil {
			_, err = w.orders.Change(w.t.Context(), made.Order.ID, order.Paid, order.Request{TenantID: tenantID})
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// relay brings the events of the outbox to the functions.
func (w *world) relay() {
	w.t.Helper()
	for {
		n, err := w.outbox.Take(w.t.Context(), 0, 16, 1000, func(ctx context.Context, rows []event.Outgoing) (sent []int64) {
			for _, row := range rows {
				ce, err := cloudevent.FromOutbox(row)
				if err != nil {
					w.t.Error(err)
					continue
				}
				e, err := cloudevent.Parse(ce)
				if err == nil {
					err = w.pipe.Handle(ctx, e)
				}
				if err != nil {
					w.t.Error(err)
				}
				sent = append(sent, row.Position)
			}
			return sent
		})
		if err != nil {
			w.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// sold is a world in which ten orders of two tenants are complete.
func sold(t *testing.T) *world {
	t.Helper()
	w := setup(t)
	w.sell("demo", 8)
	w.sell("kopi", 2)
	w.relay()
	w.post(1)
	return w
}

func (w *world) verify(change ...func(*verify.Auditor)) verify.Report {
	w.t.Helper()
	server := httptest.NewServer(w.box)
	defer server.Close()
	a := &verify.Auditor{
		Store: auditstore.New(w.pool), Feed: w.feed, Mailbox: &verify.Mailbox{URL: server.URL},
		Options: verify.Options{Window: audit.Window{Since: w.began}, ReplayTTL: replayTTL, Most: 20},
	}
	for _, f := range change {
		f(a)
	}
	report, err := a.Run(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// mailpit answers as Mailpit's list does.
type mailpit struct {
	mu       sync.Mutex
	messages []map[string]any // newest first
}

func (m *mailpit) take(messageID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.messages = append([]map[string]any{{"ID": newID(), "MessageID": messageID, "Created": time.Now()}}, m.messages...)
}

func (m *mailpit) drop(messageID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, message := range m.messages {
		if message["MessageID"] == messageID {
			m.messages = append(m.messages[:i], m.messages[i+1:]...)
			return
		}
	}
}

func (m *mailpit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	start, _ := strconv.Atoi(r.FormValue("start"))
	limit, _ := strconv.Atoi(r.FormValue("limit"))
	start = min(start, len(m.messages))
	page := m.messages[start:min(start+limit, len(m.messages))]
	if err := json.NewEncoder(w).Encode(map[string]any{"messages": append([]map[string]any{}, page...)}); err != nil {
		panic(err)
	}
}

func TestRunIsCleanWhereNothingIsLost(t *testing.T) {
	t.Parallel()
	w := sold(t)
	report := w.verify()
	if report.Total != 0 || len(report.Offenders) != 0 {
		t.Errorf("offenders: %+v", report.Offenders)
	}
	want := map[string]int64{
		"orders": 20, "outbox": 20, "records": 20, "notifications": 18, "e-mails": 10, "stream": 20, "mailbox": 10,
	}
	for _, c := range report.Checks {
		if c.Looked != want[c.Name] || c.OnTheWay != 0 {
			t.Errorf("%s: looked at %d, %d on the way; want %d and none", c.Name, c.Looked, c.OnTheWay, want[c.Name])
		}
	}
	if len(report.Checks) != len(want) || report.Mails != (verify.Mails{Sent: 10}) {
		t.Errorf("%d checks, %+v", len(report.Checks), report.Mails)
	}
	if one := w.verify(func(a *verify.Auditor) { a.Options.Window.TenantID = "kopi" }); one.Checks[0].Looked != 4 || one.Total != 0 {
		t.Errorf("of one tenant: %+v", one)
	}
	// Rows of the outbox are removed, and Redis may lose everything: neither is a fault.
	w.exec(`DELETE FROM outbox WHERE sent_at IS NOT NULL`)
	if err := w.redis.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	w.sell("demo", 1)
	w.relay()
	w.exec(`DELETE FROM users WHERE tenant_id = 'kopi'`) // and takes notifications and e-mails along
	if report := w.verify(); report.Total != 0 {
		t.Errorf("offenders: %+v", report.Offenders)
	}
}

func TestRunCountsCopiesThatAreAccountedFor(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.sell("demo", 1)
	w.relay()
	w.post(3)
	if report := w.verify(); report.Total != 0 || report.Mails != (verify.Mails{Sent: 1, Ambiguous: 2, Again: 2}) {
		t.Errorf("%+v", report)
	}
}

func TestRunKnowsWhatIsDeferredAndSuppressed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	now := time.Now().UTC()
	w.exec(`UPDATE users SET quiet_hours = $1 WHERE email LIKE 'owner%'`, now.Add(-time.Hour).Format("15:04")+"-"+now.Add(time.Hour).Format("15:04"))
	w.exec(`UPDATE users SET notification_in_app_events = '{order_created}' WHERE email LIKE 'cook%'`)
	w.sell("demo", 2)
	w.relay()
	w.post(1)
	if report := w.verify(); report.Total != 0 || report.Mails != (verify.Mails{Deferred: 2}) {
		t.Errorf("in quiet hours: %+v", report)
	}
	w.exec(`UPDATE email_deliveries SET next_attempt_at = now()`)
	w.exec(`UPDATE users SET quiet_hours = '', notification_email_events = '{}'`)
	w.post(1)
	if report := w.verify(); report.Total != 0 || report.Mails != (verify.Mails{Suppressed: 2}) {
		t.Errorf("after the quiet hours, when mail was switched off: %+v", report)
	}
	if n := w.one(`SELECT string_agg(reason, ', ') FROM email_deliveries`); n != "event preference, event preference" {
		t.Errorf("the reasons are %s", n)
	}
}

func TestRunAcceptsAddressesThatAreNotConfirmed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.exec(`UPDATE users SET email_confirmed_at = NULL, invitation_expires_at = now() + interval '1 day' WHERE email LIKE 'owner%'`)
	w.exec(`INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, data, message_id)
		SELECT $1::uuid, tenant_id, id, '/orderbell/user-api', $1::uuid, 'address_confirmation', '{}', $1::uuid || '@x.example' FROM users WHERE email LIKE 'owner%' LIMIT 1`,
		uuid.Must(uuid.NewV7()).String())
	w.sell("demo", 2)
	w.relay()
	w.post(1)
	if report := w.verify(); report.Total != 0 || report.Mails != (verify.Mails{}) {
		t.Errorf("%+v", report)
	}
	if n := w.one(`SELECT string_agg(status || ' ' || event_type, ', ') FROM email_deliveries`); n != "due address_confirmation" {
		t.Errorf("the mails are: %s", n)
	}
}

func TestRunLeavesOutWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.sell("demo", 2)
	report := w.verify(func(a *verify.Auditor) {
		a.Options.Settle = 5 * time.Minute
		a.Options.Window.Since = w.began.Add(-time.Hour)
	})
	if report.Total != 0 {
		t.Errorf("new events count as missing: %+v", report.Offenders)
	}
	if report := w.verify(); report.Total != 4 || !strings.HasPrefix(report.Offenders[0].Problem, "not sent since ") {
		t.Errorf("events that were not sent: %+v", report)
	}
	// Changed long ago, sent and applied just now.
	w.exec(`UPDATE outbox SET occurred_at = occurred_at - interval '10 minutes', sent_at = now()`)
	w.exec(`UPDATE orders SET created_at = created_at - interval '10 minutes', updated_at = updated_at - interval '10 minutes'`)
	report = w.verify(func(a *verify.Auditor) {
		a.Options.Settle = 5 * time.Minute
		a.Options.Window.Since = w.began.Add(-time.Hour)
	})
	if report.Total != 0 || report.Checks[1].OnTheWay != 4 {
		t.Errorf("events that were just sent count as missing: %+v", report)
	}
}

func TestRunRefusesAnEmptyWindow(t *testing.T) {
	t.Parallel()
	w := setup(t)
	a := &verify.Auditor{Store: auditstore.New(w.pool), Options: verify.Options{Window: audit.Window{Since: time.Now().Add(time.Hour)}}}
	if _, err := a.Run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "there is no time between ") {
		t.Errorf("Run = %v", err)
	}
	report := w.verify(func(a *verify.Auditor) { a.Options.Window.Since = time.Now().AddDate(-1, 0, 0) })
	if !strings.Contains(strings.Join(report.Notes, "\n"), "are forgotten") || time.Since(report.Since) > 72*time.Hour {
		t.Errorf("since %s: %v", report.Since, report.Notes)
	}
}
