package gateway_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.opentelemetry.io/otel/metric/noop"

	"orderbell/internal/auth"
	"orderbell/internal/event"
	"orderbell/internal/feed"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/member"
	"orderbell/internal/service"
	"orderbell/sse-gateway/internal/fanout"
	"orderbell/sse-gateway/internal/gateway"
	"orderbell/sse-gateway/internal/stream"
	"orderbell/sse-gateway/internal/tenantlog"
)

const patience = 30 * time.Second

// bundle is a gateway on its own address and what is around it.
type bundle struct {
	cfg     gateway.Config
	gateway *gateway.Gateway
	server  *httptest.Server
	redis   *miniredis.Miniredis
	feed    *feed.Feed
	tenant  string
}

func config(redisURL string) gateway.Config {
	return gateway.Config{
		Auth: auth.Config{
			DevSecret: "0123456789abcdef0123456789abcdef", Issuer: "orderbell", Audience: "orderbell",
			TenantClaim: "tenant_id", RolesClaim: "roles", Leeway: 30 * time.Second,
		},
		Feed: feedtest.Config(redisURL),
		Logs: tenantlog.Config{
			MaxBytes: 4 << 20, MaxEvents: 8192, Linger: service.Seconds(time.Minute),
			CompareEvery: service.Seconds(time.Second), SnapshotURL: "/api/orders/snapshot",
		},
		Fanout: fanout.Config{
			Heartbeat: service.Seconds(25 * time.Second), Drain: service.Seconds(time.Second),
			WriteTimeout: service.Seconds(30 * time.Second), TokenNotice: service.Seconds(30 * time.Second),
		},
		Stream: stream.Config{MaxClients: 10_000, MaxPerTenant: 10_000, MaxPerUser: 10_000},
	}
}

func setup(t *testing.T, change ...func(*gateway.Config)) *bundle {
	t.Helper()
	redis := miniredis.RunT(t)
	cfg := config("redis://" + redis.Addr())
	for _, f := range change {
		f(&cfg)
	}
	b := &bundle{cfg: cfg, redis: redis, feed: feedtest.Open(t, cfg.Feed), tenant: feedtest.Tenant()}
	b.start(t)
	return b
}

func (b *bundle) start(t *testing.T) {
	t.Helper()
	g, err := gateway.Start(t.Context(), b.cfg, slog.New(slog.NewTextHandler(t.Output(), nil)), noop.Meter{})
	if err != nil {
		t.Fatal(err)
	}
	b.gateway = g
	b.server = httptest.NewServer(g)
	t.Cleanup(func() {
		g.Close()
		b.server.Close()
	})
}

func (b *bundle) token(t *testing.T, user string, change ...func(*auth.Principal)) string {
	t.Helper()
	p := auth.Principal{UserID: user, TenantID: b.tenant, Roles: []member.Role{member.Cashier}, Expires: time.Now().Add(time.Hour)}
	for _, f := range change {
		f(&p)
	}
	token, err := b.cfg.Auth.Sign(p, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return token
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
	header = append([]string{"Accept", "text/event-stream", "Authorization", "Bearer " + b.token(t, "u-1")}, header...)
	return b.do(t, b.request(t, t.Context(), "/api/sse/notifications", header...))
}

func (b *bundle) do(t *testing.T, r *http.Request) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 2*patience)
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

func (c *client) mustNext(t *testing.T) frame {
	t.Helper()
	f, err := c.next()
	if err != nil {
		t.Fatalf("the stream ended: %v", err)
	}
	return f
}

func (b *bundle) publish(t *testing.T, n int, to ...event.Recipient) event.Message {
	t.Helper()
	m := feedtest.Message(b.tenant, n, to...)
	if err := b.feed.Publish(t.Context(), b.tenant, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestStream(t *testing.T) {
	t.Parallel()

	t.Run("begins with ready and brings what is published", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.open(t)
		if f := c.mustNext(t); f.Event != "ready" || f.ID != "0" || !strings.Contains(f.Data, `"resumed":false`) {
			t.Errorf("first frame is %+v, want ready with id 0", f)
		}
		m := b.publish(t, 1, event.Recipient{UserID: "u-1", NotificationID: "n-1"})
		if f := c.mustNext(t); f.Event != "notification" || f.ID != m.ID+".n" {
			t.Errorf("second frame is %+v, want the notification", f)
		}
		if f := c.mustNext(t); f.Event != "order_paid" || f.ID != m.ID {
			t.Errorf("third frame is %+v, want order_paid", f)
		}
	})

	t.Run("resumes behind the last event id", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		first, second := b.publish(t, 1), b.publish(t, 2)
		c := b.open(t, "Last-Event-ID", first.ID)
		if f := c.mustNext(t); f.Event != "ready" || f.ID != first.ID {
			t.Errorf("first frame is %+v, want ready with id %s", f, first.ID)
		}
		if f := c.mustNext(t); f.ID != second.ID {
			t.Errorf("second frame is %+v, want event %s", f, second.ID)
		}
	})

	t.Run("drains without completing the body", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.open(t)
		c.mustNext(t)
		b.gateway.Drain(t.Context())
		if f := c.mustNext(t); f.Retry == "" || f.Event != "" {
			t.Errorf("the last frame is %+v, want retry alone", f)
		}
		if _, err := c.next(); err != io.ErrUnexpectedEOF {
			t.Errorf("the stream ended with %v, want an unexpected EOF", err)
		}
	})
}
