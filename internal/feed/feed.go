// Package feed carries messages through Redis from the functions to the gateways: changes of orders to all streams of a
// tenant, and read notifications to the streams of a user. It publishes each event once, and follows, reads and probes
// what was published.
//
// One tenant is one hash slot: `orders:{tenant}:stream` is a ring of the latest messages, `orders:{tenant}:event:<id>`
// marks an event as published and says where, `orders:{tenant}:tail` keeps the last position and event (30 days, longer
// than the ring, so that a tenant's first order of the morning is linked to the last one of the evening), and
// `orders:{tenant}` is the channel. One Lua script writes all of them. Revocations of tokens have one channel for all
// tenants. order-api announces on a tenant's channel which event will follow ([Feed.Committed]).
//
// Order: messages of a tenant arrive in the order of the stream. Duplicates: an event is published once while its mark
// lives (SSE_REPLAY_BUFFER_TTL_SECONDS). Loss: pub/sub may lose messages; every message names the one before it, so a
// reader detects the gap and reads it from the stream. If Redis loses its data, the tail goes back.
package feed

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.opentelemetry.io/otel/metric"

	"orderbell/internal/duration"
	"orderbell/internal/feed/message"
	"orderbell/internal/user"
)

// Config has the address of Redis and the bounds of the streams.
type Config struct {
	// URL is one of
	//   redis://[user:password@]host:6379/0                    one server (rediss:// for TLS)
	//   redis://host:26379?master_name=orders&addr=host2:26379 Sentinel: the sentinels and the master's name
	//   redis://host:6379?addr=host2:6379&addr=host3:6379      Cluster: some of its nodes
	//   redis://host:6379?cluster=true                         Cluster behind one address
	// and takes go-redis's parameters, such as pool_size or read_timeout.
	URL string `envconfig:"REDIS_URL" required:"true"`
	// ReplayTTL is how long a reconnecting client can get missed events, and how long duplicates are recognised.
	ReplayTTL duration.Seconds `envconfig:"SSE_REPLAY_BUFFER_TTL_SECONDS" default:"900"`
	// ReplayMax is the length of a tenant's ring in Redis. An event takes about 700 bytes.
	ReplayMax int `envconfig:"SSE_REPLAY_BUFFER_MAX_EVENTS" default:"4096"`
	// ReplayBytes bounds the messages of a tenant's ring. 4,096 of some 700 bytes are 2.9 MB, so it cuts only a ring of
	// large messages, such as those with thousands of recipients.
	ReplayBytes int `envconfig:"SSE_REPLAY_BUFFER_MAX_BYTES" default:"8388608"`
	// Sharded is on, off or auto: sharded pub/sub where the server is Redis 7 or newer. All programs must have the same.
	Sharded string `envconfig:"REDIS_SHARDED_PUBSUB" default:"auto" oneof:"auto,on,off"`
}

//go:embed publish.lua
var publishLua string

//go:embed sharded.lua
var shardedLua string

//go:embed echo.lua
var echoLua string

// Feed is a client of one Redis. It is safe for concurrent use.
type Feed struct {
	cfg     Config
	address string // of the servers, for errors
	client  redis.UniversalClient
	publish *redis.Script
	sharded *redis.Script // answers 1 or 0
	echo    *redis.Script
	tell    *redis.Script // publishes a message without storing it
	revoke  *redis.Script

	revocations RevocationSink          // nil: not followed
	published   metric.Float64Histogram // nil before Observe

	mu      sync.Mutex
	started bool
	run     follower
	probes  map[string]chan struct{}
}

// Open returns a client for cfg. It does not wait for Redis. Until Redis answers, calls fail with a temporary error.
func Open(cfg Config) (*Feed, error) {
	switch {
	case cfg.ReplayTTL.Duration() < time.Second:
		return nil, fmt.Errorf("SSE_REPLAY_BUFFER_TTL_SECONDS is %s, want 1 or more", cfg.ReplayTTL.Duration())
	case cfg.ReplayMax < 1:
		return nil, fmt.Errorf("SSE_REPLAY_BUFFER_MAX_EVENTS is %d, want 1 or more", cfg.ReplayMax)
	case cfg.ReplayBytes < 1:
		return nil, fmt.Errorf("SSE_REPLAY_BUFFER_MAX_BYTES is %d, want 1 or more", cfg.ReplayBytes)
	case !slices.Contains([]string{"auto", "on", "off"}, cfg.Sharded):
		return nil, fmt.Errorf("REDIS_SHARDED_PUBSUB is %q, want auto, on or off", cfg.Sharded)
	}
	muteClient()
	client, err := connect(cfg.URL)
	if err != nil {
		return nil, err
	}
	f := &Feed{
		cfg: cfg, address: hosts(cfg.URL), client: client, probes: map[string]chan struct{}{},
		publish: redis.NewScript(shardedLua + publishLua),
		sharded: redis.NewScript(shardedLua + "return sharded(ARGV[1]) and 1 or 0"),
		revoke:  redis.NewScript(shardedLua + revokeLua),
		echo:    redis.NewScript(shardedLua + echoLua),
		tell:    redis.NewScript(shardedLua + "return redis.call(sharded(ARGV[2]) and 'SPUBLISH' or 'PUBLISH', KEYS[1], ARGV[1])"),
	}
	f.run.init()
	return f, nil
}

// Close ends the connections.
func (f *Feed) Close() error {
	if err := f.client.Close(); err != nil {
		return fmt.Errorf("close redis: %w", err)
	}
	return nil
}

func connect(address string) (redis.UniversalClient, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("REDIS_URL is not a URL: %w", redact(err))
	}
	kept := &connections{}
	query := u.Query()
	cluster := query.Get("cluster") == "true"
	query.Del("cluster")
	u.RawQuery = query.Encode()
	switch {
	case query.Has("master_name"):
		o, err := redis.ParseFailoverURL(u.String())
		if err != nil {
			return nil, fmt.Errorf("REDIS_URL: %w", redact(err))
		}
		// A sentinel URL's user and password are the sentinels'; the servers take the same.
		o.Username, o.Password = o.SentinelUsername, o.SentinelPassword
		o.Protocol, o.ContextTimeoutEnabled = 2, true
		timeouts(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout)
		o.Dialer = kept.dialOf(&redis.Options{DialTimeout: o.DialTimeout, TLSConfig: o.TLSConfig})
		return redis.NewFailoverClient(o), nil
	case query.Has("addr") || cluster:
		o, err := redis.ParseClusterURL(u.String())
		if err != nil {
			return nil, fmt.Errorf("REDIS_URL: %w", redact(err))
		}
		o.Protocol, o.ContextTimeoutEnabled = 2, true
		o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
		o.ClusterStateReloadInterval = clusterReload
		timeouts(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout)
		o.Dialer = kept.dialOf(&redis.Options{DialTimeout: o.DialTimeout, TLSConfig: o.TLSConfig})
		return redis.NewClusterClient(o), nil
	}
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, fmt.Errorf("REDIS_URL: %w", redact(err))
	}
	o.Protocol, o.ContextTimeoutEnabled = 2, true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	timeouts(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout)
	o.Dialer = kept.dialOf(o)
	return redis.NewClient(o), nil
}

// hosts names the servers of a URL that connect takes.
func hosts(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "" // connect has refused it
	}
	return strings.Join(append([]string{u.Host}, u.Query()["addr"]...), ",")
}

// muteClient turns off the client's own log lines, which are global to the process. Its errors have the same
// information.
var muteClient = sync.OnceFunc(func() { redis.SetLogger(mute{}) }) //nolint:gochecknoglobals // as the logger itself is

type mute struct{}

func (mute) Printf(context.Context, string, ...any) {}

// clusterReload is the interval of reloading the cluster's state, so that a promoted replica is noticed soon.
// go-redis's default is one minute.
const clusterReload = time.Second

// redact keeps a password in the URL out of the error's text.
func redact(err error) error {
	if u, ok := err.(*url.Error); ok { //nolint:errorlint // url.Parse returns it unwrapped
		return u.Err
	}
	return err
}

// timeouts sets the timeouts that the URL does not set. A Redis that takes two seconds counts as down, and the event's
// delivery is retried.
func timeouts(durations ...*time.Duration) {
	for _, d := range durations {
		if *d == 0 {
			*d = 2 * time.Second
		}
	}
}

func streamKey(tenant string) string        { return "orders:{" + tenant + "}:stream" }
func tailKey(tenant string) string          { return "orders:{" + tenant + "}:tail" }
func markKey(tenant, eventID string) string { return "orders:{" + tenant + "}:event:" + eventID }
func bytesKey(tenant string) string         { return "orders:{" + tenant + "}:bytes" }
func channel(tenant string) string          { return "orders:{" + tenant + "}" }

// Error is a failed call of Redis.
type Error struct {
	Op  string
	Err error
}

func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Temporary is always true: the event is not at fault and may be delivered again.
func (e *Error) Temporary() bool { return true }

func wrap(op string, err error) error { return &Error{Op: op, Err: err} }

// Publish publishes m to the tenant's streams, unless an event with its id was published before. So publishing again
// after a crash is safe.
func (f *Feed) Publish(ctx context.Context, tenantID string, m message.Message) error {
	if !user.IsTenantID(tenantID) {
		return fmt.Errorf("publish: %q does not name a tenant", tenantID)
	}
	payload, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	keys := []string{streamKey(tenantID), markKey(tenantID, m.ID), tailKey(tenantID), bytesKey(tenantID)}
	tail := m.ID
	if m.Again {
		tail = "" // clients may have seen this event at another position, so none resumes here by default
	}
	began := time.Now()
	err = f.publish.Run(ctx, f.client, keys, channel(tenantID), tail, payload,
		f.cfg.ReplayTTL.Duration().Milliseconds(), f.cfg.ReplayMax, f.cfg.Sharded, f.cfg.ReplayBytes).Err()
	f.timePublish(ctx, began, err)
	if err != nil {
		return wrap("publish event", err)
	}
	return nil
}
