package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/metric/noop"

	"orderbell/internal/duration"
	"orderbell/internal/event"
	"orderbell/internal/feed"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/feed/message"
	"orderbell/internal/order"
	"orderbell/internal/pipeline"
	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/store/orderstore"
	"orderbell/internal/store/outbox"
	"orderbell/sse-gateway/internal/gateway"
)

// accident is a failure of a function while it handles an event.
type accident string

const (
	none          accident = "none"
	midway        accident = "it times out at some point"
	beforePublish accident = "it dies between commit and publishing"
	afterPublish  accident = "it dies between publishing and its answer"
	notHeard      accident = "the channel loses the message"
)

// accidents are drawn at random; most deliveries have none.
func accidents() []accident {
	return []accident{none, none, none, midway, beforePublish, afterPublish, notHeard}
}

var errDied = errors.New("died here")

// shop is all of Orderbell except Kafka and mail, for one tenant at a time.
type shop struct {
	*bundle

	pool   *database.Pool
	orders *orderstore.Store
	outbox *outbox.Outbox
	lossy  *feed.Feed // its messages reach the stream, but no channel
	keys   *redis.Client
	client *http.Client
	base   atomic.Value // address of the gateway that runs

	owner, viewer string // users
}

func openShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{
		bundle: setup(t, func(cfg *gateway.Config) {
			cfg.Logs.Linger = duration.Seconds(50 * time.Millisecond) // so that logs are also removed and created again
		}),
		pool: databasetest.New(t),
	}
	s.base.Store(s.server.URL)
	s.orders, s.outbox = orderstore.New(s.pool), outbox.New(s.pool)
	cfg := s.cfg.Feed
	cfg.Sharded = "on" // the stand-in has none: its script ends after the stream's entry
	s.lossy = feedtest.Open(t, cfg)
	s.keys = redis.NewClient(&redis.Options{Addr: s.redis.Addr()})
	transport := &http.Transport{DisableKeepAlives: true}
	s.client = &http.Client{Transport: transport}
	t.Cleanup(func() { _ = s.keys.Close() })
	return s
}

func (s *shop) address() string { return s.base.Load().(string) } //nolint:forcetypeassert // nothing else is stored

// begin creates a tenant with an owner, who is notified of payments, and a viewer.
func (s *shop) begin(t *testing.T) {
	t.Helper()
	s.tenant, s.owner, s.viewer = feedtest.Tenant(), uuid.NewString(), uuid.NewString()
	s.exec(t, `INSERT INTO tenants (id, name) VALUES ($1, 'Shop')`, s.tenant)
	for user, role := range map[string]string{s.owner: "owner", s.viewer: "viewer"} {
		s.exec(t, `INSERT INTO users (id, tenant_id, email, roles) VALUES ($1, $2, $3, ARRAY[$4])`,
			user, s.tenant, user+"@shop.example", role)
	}
}

func (s *shop) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := s.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func (s *shop) count(t *testing.T, sql string) (n int) {
	t.Helper()
	if err := s.pool.QueryRow(t.Context(), sql, s.tenant).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (s *shop) stream() string { return "orders:{" + s.tenant + "}:stream" }

func (s *shop) entries(t *testing.T) int {
	t.Helper()
	n, err := s.keys.XLen(t.Context(), s.stream()).Result()
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// trim removes all entries of the stream but the newest.
func (s *shop) trim(t *testing.T) {
	t.Helper()
	if err := s.keys.XTrimMaxLen(t.Context(), s.stream(), 1).Err(); err != nil {
		t.Fatal(err)
	}
}

func (s *shop) restart(t *testing.T) {
	t.Helper()
	s.stop()
	s.start(t)
	s.base.Store(s.server.URL)
}

func (s *shop) truth(ctx context.Context) []order.Order {
	const all = 1000
	orders, more, err := s.orders.Page(ctx, s.tenant, order.Query{Limit: all})
	if err != nil || more {
		panic(fmt.Sprintf("more orders: %v, %v", more, err))
	}
	return orders
}

// snapshot returns what the APIs answer to a user.
func (s *shop) snapshot(user string) snapshot {
	ctx := context.Background()
	got := snapshot{orders: map[string]row{}}
	for _, o := range s.truth(ctx) {
		got.orders[o.ID] = row{o.Version, o.Status, o.TotalAmount}
	}
	err := s.pool.QueryRow(ctx, `SELECT array_agg(id::text ORDER BY id::text) FROM notifications WHERE user_id = $1`, user).Scan(&got.inbox)
	if err != nil {
		panic(err)
	}
	return got
}

func (s *shop) create(t *testing.T) message.Commit {
	t.Helper()
	made, err := s.orders.Create(t.Context(), order.Order{TotalAmount: 1250, Currency: "EUR"}, order.Request{TenantID: s.tenant})
	if err != nil {
		t.Fatal(err)
	}
	return message.Commit{EventID: made.EventID, Data: made.Event}
}

func (s *shop) advance(t *testing.T, id string, next order.Status) message.Commit {
	t.Helper()
	changed, err := s.orders.Change(t.Context(), id, next, order.Request{TenantID: s.tenant})
	if err != nil {
		t.Fatal(err)
	}
	return message.Commit{EventID: changed.EventID, Data: changed.Event}
}

// handle delivers an event to its function once, with the accident a.
func (s *shop) handle(ctx context.Context, e event.Event, a accident) error {
	if a == midway {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
	}
	p, err := pipeline.New(pipeline.Config{RetentionDays: 45}, eventstore.New(s.pool, "shop.example"), publisher{s, a}, nil,
		slog.New(slog.DiscardHandler), noop.Meter{})
	if err != nil {
		return err
	}
	return p.Handle(ctx, e)
}

// publisher is the feed of a function that has an accident.
type publisher struct {
	*shop

	accident accident
}

func (p publisher) Publish(ctx context.Context, tenantID string, m message.Message) error {
	switch p.accident {
	case beforePublish:
		return errDied
	case notHeard:
		return p.lossy.Publish(ctx, tenantID, m)
	case afterPublish:
		return errors.Join(p.feed.Publish(ctx, tenantID, m), errDied)
	case none, midway:
	}
	return p.feed.Publish(ctx, tenantID, m)
}
