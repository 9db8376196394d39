package gateway_test

import (
	"bufio"
	"context"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/goleak"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/duration"
	"orderbell/internal/event"
	"orderbell/internal/feed"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/feed/message"
	"orderbell/internal/user"
	"orderbell/sse-gateway/internal/fanout"
	"orderbell/sse-gateway/internal/gateway"
	"orderbell/sse-gateway/internal/stream"
	"orderbell/sse-gateway/internal/tenantlog"
)

func TestMain(m *testing.M) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("20") // of each history, unless -rapid.checks is given
	}
	goleak.VerifyTestMain(
		m,
		// go-redis looks for a dead server once a second and notices only then that its pool is closed.
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"),
		// The tests' PostgreSQL goes with the process.
		goleak.IgnoreAnyFunction("orderbell/internal/dev/embedded.(*Postgres).run"),
		goleak.IgnoreAnyFunction("os/exec.(*Cmd).writerDescriptor.func1"),
	)
}

const patience = 30 * time.Second

// bundle is a gateway with an address of its own, and its environment.
type bundle struct {
	cfg     gateway.Config
	db      gateway.Database
	gateway *gateway.Gateway
	server  *httptest.Server
	redis   *miniredis.Miniredis
	feed    *feed.Feed
	tenant  string
}

func config(redisURL string) gateway.Config {
	login := authtest.Config(authtest.Secret)
	login.Leeway = 30 * time.Second
	return gateway.Config{
		Auth: login,
		Feed: feedtest.Config(redisURL),
		Logs: tenantlog.Config{
			MaxBytes: 4 << 20, MaxEvents: 8192, Linger: duration.Seconds(time.Minute),
			CompareEvery: duration.Seconds(time.Second), SnapshotURL: "/api/orders/snapshot",
		},
		Fanout: fanout.Config{
			Heartbeat: duration.Seconds(25 * time.Second), Drain: duration.Seconds(time.Second),
			WriteTimeout: duration.Seconds(30 * time.Second), TokenNotice: duration.Seconds(30 * time.Second),
		},
		Stream: stream.Config{MaxClients: 10_000, MaxPerTenant: 10_000, MaxPerUser: 10_000},
	}
}

func setup(t *testing.T, change ...func(*gateway.Config)) *bundle {
	t.Helper()
	redis := feedtest.Restartable(t)
	cfg := config("redis://" + redis.Addr())
	for _, f := range change {
		f(&cfg)
	}
	b := &bundle{cfg: cfg, redis: redis, feed: feedtest.Open(t, cfg.Feed), tenant: feedtest.Tenant()}
	b.start(t)
	return b
}

func start(t *testing.T, cfg gateway.Config, db ...gateway.Database) (*gateway.Gateway, error) {
	t.Helper()
	var known gateway.Database // none: the roles of the tokens apply
	if len(db) > 0 {
		known = db[0]
	}
	return gateway.Start(t.Context(), cfg, known, slog.New(slog.NewTextHandler(t.Output(), nil)), noop.Meter{})
}

func (b *bundle) start(t *testing.T) {
	t.Helper()
	g, err := start(t, b.cfg, b.db)
	if err != nil {
		t.Fatal(err)
	}
	b.gateway = g
	b.server = httptest.NewServer(g)
	t.Cleanup(b.stop)
}

// stop ends the gateway as a crash would: at once.
func (b *bundle) stop() {
	_ = b.server.Listener.Close() // Close closes it again
	b.gateway.Close()
	b.server.CloseClientConnections()
	b.server.Close()
}

func (b *bundle) token(t *testing.T, userID string, change ...func(*auth.Principal)) string {
	t.Helper()
	p := auth.Principal{UserID: userID, TenantID: b.tenant, Roles: []user.Role{user.Cashier}, Expires: time.Now().Add(time.Hour)}
	for _, f := range change {
		f(&p)
	}
	return authtest.Token(t, b.cfg.Auth, p)
}

// frame is a server-sent event as a client sees it.
type frame struct{ ID, Event, Data, Retry string }

// client is a raw HTTP client of the stream.
type client struct {
	*http.Response
	lines *bufio.Reader
}

func (b *bundle) request(t *testing.T, ctx context.Context, path string, header ...string) *http.Request { //nolint:revive // t first, as everywhere
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func (b *bundle) open(t *testing.T, header ...string) *client {
	t.Helper()
	return b.openAs(t, "u-1", header...)
}

func (b *bundle) openAs(t *testing.T, userID string, header ...string) *client {
	t.Helper()
	header = append([]string{"Accept", "text/event-stream", "Authorization", "Bearer " + b.token(t, userID)}, header...)
	return b.do(t, b.request(t, t.Context(), "/api/sse/notifications", header...))
}

func (b *bundle) do(t *testing.T, r *http.Request) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 5*patience)
	t.Cleanup(cancel)
	response, err := b.server.Client().Do(r.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return &client{Response: response, lines: bufio.NewReader(response.Body)}
}

// next returns the next event, or the error that ended the stream.
func (c *client) next() (frame, error) {
	var f frame
	for {
		line, err := c.lines.ReadString('\n')
		if err != nil {
			return f, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "id":
			f.ID = value
		case "event":
			f.Event = value
		case "data":
			f.Data = value
		case "retry":
			f.Retry = value
		case "":
			return f, nil
		}
	}
}

// mustNext returns the next frame that is not about the feed: a machine that stands still for 3 s makes it degraded.
func (c *client) mustNext(t *testing.T) frame {
	t.Helper()
	for {
		if f := c.mustNextOfAll(t); f.Event != "degraded" && f.Event != "live" {
			return f
		}
	}
}

func (c *client) mustNextOfAll(t *testing.T) frame {
	t.Helper()
	f, err := c.next()
	if err != nil {
		t.Fatalf("the stream ended: %v", err)
	}
	return f
}

func (b *bundle) publish(t *testing.T, n int, to ...event.Recipient) message.Message {
	t.Helper()
	m := feedtest.Message(b.tenant, n, to...)
	if err := b.feed.Publish(t.Context(), b.tenant, m); err != nil {
		t.Fatal(err)
	}
	return m
}
