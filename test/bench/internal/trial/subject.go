package trial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"orderbell/internal/auth"
	"orderbell/internal/duration"
	"orderbell/internal/event"
	"orderbell/internal/feed"
	feedmessage "orderbell/internal/feed/message"
	"orderbell/internal/user"
	"orderbell/test/bench/internal/message"
	"orderbell/test/bench/internal/pace"
	"orderbell/test/bench/internal/peer"
)

// Gateway is the name of the server that the others are compared with.
const Gateway = "Orderbell"

// subject is a running server.
type subject struct {
	peer.Stream
	server  *child
	redis   *child   // nil if it has none
	tokens  []string // of the clients; empty if it needs none
	publish func(context.Context, pace.Plan) (time.Time, error)
	close   func()

	redisURL string // of the gateway
	login    auth.Config
}

// startSubject starts the server called name: our own program, or a peer in a process of this program.
func (t *Trial) startSubject(ctx context.Context, name string) (*subject, error) {
	if name == Gateway {
		return t.startGateway(ctx)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	server, err := start(ctx, os.Environ(), self, "serve", name)
	if err != nil {
		return nil, err
	}
	s := &subject{server: server, close: server.stop}
	if err := server.hear(&s.Stream); err != nil {
		server.stop()
		return nil, err
	}
	s.publish = func(_ context.Context, plan pace.Plan) (began time.Time, err error) {
		if err = server.tell(plan); err == nil {
			err = server.hear(&began)
		}
		return began, err
	}
	return s, nil
}

// users is the number of users of the gateway's clients: with 15,000 streams each has 15.
const users = 1000

// startGateway starts a Redis server and the gateway with their default settings, except for the limits of one tenant, which are
// raised to the whole instance.
func (t *Trial) startGateway(ctx context.Context) (*subject, error) {
	ports, err := freePorts(ctx, 2)
	if err != nil {
		return nil, err
	}
	s := &subject{Stream: peer.Stream{Port: ports[0], Path: "/api/sse/notifications", Ready: "event: ready\n"}}
	s.close = func() {
		for _, c := range []*child{s.server, s.redis} {
			if c != nil {
				c.Kill() // its clients are gone, there is nothing to drain
				<-c.Done()
			}
		}
	}
	if s.redis, err = start(ctx, os.Environ(), "redis-server", "--port", strconv.Itoa(ports[1]), "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no"); err != nil {
		return nil, err
	}
	go func() { _, _ = s.redis.out.WriteTo(discard{}) }()
	redisURL := "redis://127.0.0.1:" + strconv.Itoa(ports[1])
	login := auth.Config{DevSecret: strings.Repeat("bench", 8), Issuer: "orderbell", Audience: "orderbell", TenantClaim: "tenant_id", RolesClaim: "roles"}
	s.redisURL, s.login = redisURL, login
	s.server, err = start(ctx, append([]string{
		"LISTEN_HOST=127.0.0.1", "PORT=" + strconv.Itoa(ports[0]), "LOG_LEVEL=WARN", "REDIS_URL=" + redisURL,
		"AUTH_DEV_SECRET=" + login.DevSecret, "SSE_MAX_CLIENTS_PER_INSTANCE=19000", "SSE_MAX_CLIENTS_PER_TENANT=19000",
	}, t.Env...), t.Binary)
	if err == nil {
		go func() { _, _ = s.server.out.WriteTo(discard{}) }()
		err = awaitReady(ctx, ports[0])
	}
	if err != nil {
		s.close()
		return nil, err
	}
	for i := range users {
		token, err := login.Sign(auth.Principal{
			UserID: fmt.Sprintf("user-%d", i), TenantID: message.Tenant, Roles: []user.Role{user.Viewer},
			Expires: time.Now().Add(time.Hour),
		}, time.Now())
		if err != nil {
			s.close()
			return nil, fmt.Errorf("sign a token: %w", err)
		}
		s.tokens = append(s.tokens, token)
	}
	s.publish = func(ctx context.Context, plan pace.Plan) (time.Time, error) { return publish(ctx, redisURL, plan) }
	return s, nil
}

// writers is the number of concurrent publishers in a burst: functions scale out under load.
const writers = 16

// publish sends messages as functions do.
func publish(ctx context.Context, redisURL string, plan pace.Plan) (time.Time, error) {
	f, err := feed.Open(feed.Config{URL: redisURL, ReplayTTL: duration.Seconds(15 * time.Minute), ReplayMax: 4096, ReplayBytes: 8 << 20, Sharded: "auto"})
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close() //nolint:errcheck // everything was sent
	if plan.Writers == 0 {
		plan.Writers = writers
	}
	return plan.Run(ctx, func(ctx context.Context, n int, at time.Time) error {
		return f.Publish(ctx, message.Tenant, feedmessage.Message{ID: message.EventID(n), Event: event.OrderPaid, Data: message.JSON(n, at)})
	})
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func freePorts(ctx context.Context, n int) ([]int, error) {
	var ports []int
	for range n {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() //nolint:errcheck,revive // all are held until all are found
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// patience is the time that a server has to start.
const patience = 30 * time.Second

func awaitReady(ctx context.Context, port int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/healthz/ready", port), nil)
		if err != nil {
			return fmt.Errorf("ask for readiness: %w", err)
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusNoContent {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("the gateway is not ready")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
