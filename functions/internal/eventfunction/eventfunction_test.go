package eventfunction_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/google/uuid"

	"orderbell/internal/dev/embedded"
	"orderbell/internal/dev/programtest"
	"orderbell/internal/duration"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/feed"
	"orderbell/internal/order"
	"orderbell/internal/store/database/databasetest"
)

// patience is long, since the machine may be busy.
const patience = 2 * time.Minute

// testBundle is a function's environment: real PostgreSQL, a Redis, a mail server.
type testBundle struct {
	binary string // order-paid
	env    []string
	redis  *embedded.Redis
	mail   *embedded.Mailpit
	exec   func(sql string)
	count  func(sql string) int
	lock   func() (unlock func()) // of event_records
}

// bin is where the programs are; they are built once, by the first test that asks.
//
//nolint:gochecknoglobals // each build links for seconds
var (
	bin   string
	built = sync.OnceValue(build)
)

func TestMain(m *testing.M) {
	var err error
	if bin, err = os.MkdirTemp("", "eventfunction"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(bin)
	os.Exit(code)
}

func build() error {
	tools := filepath.Join("..", "..", "..", "tools")
	for program, module := range map[string]string{
		"orderbell/functions/order-paid": ".", "orderbell/functions/delivery-sweeper": ".", "github.com/axllent/mailpit": tools,
	} {
		cmd := exec.CommandContext(context.Background(), "go", "build", "-o", bin+"/", program)
		cmd.Dir = module
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", program, err, out)
		}
	}
	return nil
}

func setup(tb testing.TB) *testBundle {
	tb.Helper()
	err := built()
	if err != nil {
		tb.Fatal(err)
	}
	b := &testBundle{binary: filepath.Join(bin, "order-paid")}
	address := databasetest.URL(tb)
	pool := databasetest.Open(tb, address)
	b.exec = func(sql string) {
		if _, err := pool.Exec(context.Background(), sql); err != nil {
			tb.Fatal(err)
		}
	}
	b.count = func(sql string) (n int) {
		if err := pool.QueryRow(context.Background(), sql).Scan(&n); err != nil {
			tb.Fatal(err)
		}
		return n
	}
	b.lock = func() func() {
		tx, err := pool.Begin(context.Background())
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := tx.Exec(context.Background(), "LOCK TABLE event_records"); err != nil {
			tb.Fatal(err)
		}
		return func() {
			if err := tx.Rollback(context.Background()); err != nil {
				tb.Fatal(err)
			}
		}
	}
	b.exec(`INSERT INTO tenants (id, name) VALUES ('demo', 'Kopi')`)
	b.exec(`INSERT INTO users (id, tenant_id, email, roles) VALUES (gen_random_uuid(), 'demo', 'owner@demo.example', '{owner}')`)
	if b.redis, err = embedded.StartRedis(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.redis.Stop)
	if b.mail, err = embedded.NewMailpit(tb.Context(), filepath.Join(bin, "mailpit"), ""); err != nil {
		tb.Fatal(err)
	}
	running, err := b.mail.Start(tb.Context(), os.Stderr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = running.Stop(patience) })
	b.env = []string{
		"LISTEN_HOST=127.0.0.1", "EVENT_SENDER_SECRET=" + senderSecret, "DATABASE_URL=" + address, "REDIS_URL=" + b.redis.URL(), "SMTP_URL=" + b.mail.SMTPURL(),
		"MAIL_FROM=Orderbell <bell@orderbell.example>",
		"PUBLIC_URL=https://orderbell.example", "UNSUBSCRIBE_SECRET=" + strings.Repeat("s", 32), "EVENT_TIMEOUT=2m", "EMAIL_TRY_LIMIT=2m", "SHUTDOWN_TIMEOUT=60s",
	}
	return b
}

// function is a running order-paid.
type function struct {
	*programtest.Program

	secret string // of who posts to it
}

// senderSecret is what functions and broker share.
const senderSecret = "the secret that broker and functions share"

// start starts order-paid with more variables, and returns once it listens.
func (b *testBundle) start(tb testing.TB, env ...string) *function {
	tb.Helper()
	return &function{Program: programtest.Start(tb, b.binary, append(slices.Clip(b.env), env...)...), secret: senderSecret}
}

func newEvent(tb testing.TB, s order.Status) cloudevent.Event {
	tb.Helper()
	at := time.Now().UTC()
	ce, err := cloudevent.New(event.Event{
		ID: uuid.Must(uuid.NewV7()).String(), Source: event.Source, Type: event.TypeFor(s), Time: at,
		Data: event.Data{
			OrderID: uuid.NewString(), TenantID: "demo", Status: s, TotalAmount: 125000, Currency: "IDR", Version: 2, Timestamp: at,
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return ce
}

// post delivers ce as a broker does. Status 0 is a connection that broke.
func (f *function) post(tb testing.TB, ce cloudevent.Event) (status int, reason string) {
	tb.Helper()
	r, err := cehttp.NewHTTPRequestFromEvent(tb.Context(), f.URL, ce)
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+f.secret)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	if body, err := io.ReadAll(resp.Body); err != nil || (resp.StatusCode == http.StatusAccepted && len(body) > 0) {
		tb.Errorf("body %q, %v", body, err)
	}
	return resp.StatusCode, resp.Header.Get("kne-reason")
}

func (f *function) assertPost(tb testing.TB, ce cloudevent.Event, want int) {
	tb.Helper()
	if status, reason := f.post(tb, ce); status != want {
		tb.Errorf("status %d %s, want %d", status, reason, want)
	}
}

// assertOnce checks that one event was applied, published and mailed once.
func (b *testBundle) assertOnce(tb testing.TB) {
	tb.Helper()
	got := fmt.Sprintf("records %d, notifications %d, e-mails sent %d, stream %d, mailbox %d",
		b.count("SELECT count(*) FROM event_records"), b.count("SELECT count(*) FROM notifications"),
		b.count("SELECT count(*) FROM email_deliveries WHERE status = 'sent'"), b.streamLength(tb), b.mailbox(tb))
	if want := "records 1, notifications 1, e-mails sent 1, stream 1, mailbox 1"; got != want {
		tb.Errorf("got  %s\nwant %s", got, want)
	}
}

func (b *testBundle) streamLength(tb testing.TB) int {
	tb.Helper()
	const all = 1000
	f, err := feed.Open(feed.Config{URL: b.redis.URL(), ReplayTTL: duration.Seconds(time.Hour), ReplayMax: all, ReplayBytes: 8 << 20, Sharded: "off"})
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it has served
	messages, _, err := f.Recent(tb.Context(), "demo", all)
	if err != nil {
		tb.Fatal(err)
	}
	return len(messages)
}

func (b *testBundle) mailbox(tb testing.TB) int {
	tb.Helper()
	var box struct{ Total int }
	b.ask(tb, "/api/v1/messages", &box)
	return box.Total
}

// ask decodes an answer of Mailpit.
func (b *testBundle) ask(tb testing.TB, path string, answer any) {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, b.mail.URL()+path, nil)
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		tb.Fatal(err)
	}
}

// assertCanLeave checks that the one mail offers to unsubscribe, by one click (RFC 8058) and on a page.
func (b *testBundle) assertCanLeave(tb testing.TB) {
	tb.Helper()
	var headers map[string][]string
	b.ask(tb, "/api/v1/message/latest/headers", &headers)
	link := strings.Trim(strings.Join(headers["List-Unsubscribe"], ""), "<>")
	if !strings.HasPrefix(link, "https://orderbell.example/api/unsubscribe/") || headers["List-Unsubscribe-Post"][0] != "List-Unsubscribe=One-Click" {
		tb.Errorf("the header is %v", headers)
	}
	var message struct{ HTML, Text string }
	b.ask(tb, "/api/v1/message/latest", &message)
	for _, part := range []string{message.HTML, message.Text} {
		for _, want := range []string{link, "https://orderbell.example/#/preferences"} {
			if !strings.Contains(part, want) {
				tb.Errorf("no %s in %s", want, part)
			}
		}
	}
}

func TestFunction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := b.start(t)
	ce := newEvent(t, order.Paid)
	t.Run("an event delivered three times has its effect once", func(t *testing.T) {
		for range 3 {
			f.assertPost(t, ce, http.StatusAccepted)
		}
		b.assertOnce(t)
		b.assertCanLeave(t)
	})
	t.Run("another function's event is refused with the reason", func(t *testing.T) {
		status, reason := f.post(t, newEvent(t, order.Ready))
		if status != http.StatusBadRequest || !strings.Contains(reason, "this function takes order_paid") {
			t.Errorf("status %d %s", status, reason)
		}
	})
	t.Run("a payment of an unknown sender changes nothing", func(t *testing.T) {
		for _, secret := range []string{"", "another secret of at least 32 bytes, a guess"} {
			stranger := *f
			stranger.secret = secret
			status, reason := stranger.post(t, newEvent(t, order.Paid))
			if status != http.StatusUnauthorized || !strings.Contains(reason, "the sender is unknown") {
				t.Errorf("status %d %s", status, reason)
			}
		}
		b.assertOnce(t) // only the earlier event
	})
	t.Run("SIGTERM ends it without an error", func(t *testing.T) {
		if err := f.Stop(patience); err != nil || f.Err() != nil {
			t.Errorf("%v, %v\n%s", err, f.Err(), f.Log())
		}
	})
}

func TestFunctionWithoutStores(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const nowhere = "127.0.0.1:1"
	t.Run("without Redis an event is applied, but answered with an error", func(t *testing.T) {
		f := b.start(t, "REDIS_URL=redis://"+nowhere)
		ce := newEvent(t, order.Paid)
		f.assertPost(t, ce, http.StatusServiceUnavailable)
		f.assertPost(t, ce, http.StatusServiceUnavailable)
		if n := b.mailbox(t); n != 0 {
			t.Errorf("%d mails were sent before the event was published", n)
		}
		b.start(t).assertPost(t, ce, http.StatusAccepted)
		b.assertOnce(t)
	})
	t.Run("without PostgreSQL it starts, and reports the error", func(t *testing.T) {
		f := b.start(t, "DATABASE_URL=postgres://x@"+nowhere+"/x")
		f.assertPost(t, newEvent(t, order.Paid), http.StatusServiceUnavailable)
	})
	t.Run("without an SMTP server events are applied and the mail stays due", func(t *testing.T) {
		f := b.start(t, "SMTP_URL=smtp://"+nowhere)
		f.assertPost(t, newEvent(t, order.Paid), http.StatusAccepted)
		if n := b.count("SELECT count(*) FROM email_deliveries WHERE status = 'due' AND attempt = 0"); n != 1 {
			t.Errorf("%d due", n)
		}
	})
	t.Run("without a variable it stops and names it", func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), b.binary)
		cmd.Env = b.env[:4]
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "SMTP_URL") {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// BenchmarkColdStart is from a process's start to its first event's 202, mail included.
func BenchmarkColdStart(b *testing.B) {
	bundle := setup(b)
	for b.Loop() {
		f := bundle.start(b)
		f.assertPost(b, newEvent(b, order.Paid), http.StatusAccepted)
		b.StopTimer()
		f.Kill()
		<-f.Done()
		b.StartTimer()
	}
}
