//go:build conformance

// Package conformance_test tests the gateway's program with clients that are in use: Chromium's EventSource, npm's eventsource, a
// client built on npm's eventsource-parser, and the client of r3labs/sse. Between them and the gateway is a proxy that splits
// responses into small writes, cuts connections, and answers in place of the gateway.
package conformance_test

import (
	"os"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/dev/programtest"
	"orderbell/internal/event"
	"orderbell/internal/feed"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/feed/message"
	"orderbell/internal/user"
)

// binary is what `make build` built.
const binary = "../../bin/sse-gateway"

// startGateway runs the gateway's program until the test ends, with its default settings except for short heartbeats, two streams
// per user, and the given variables.
func startGateway(t *testing.T, redis *miniredis.Miniredis, variables ...string) *programtest.Program {
	t.Helper()
	env := append(os.Environ(), "REDIS_URL=redis://"+redis.Addr(), "AUTH_JWKS_URL=", "AUTH_DEV_SECRET="+authtest.Secret,
		"SSE_HEARTBEAT_SECONDS=1", "SSE_MAX_CLIENTS_PER_USER=2", "SSE_DRAIN_SECONDS=1")
	return programtest.Start(t, binary, append(env, variables...)...).WaitReady(t)
}

// bundle is the environment of one client: its own tenant, and a front.
type bundle struct {
	kind

	open   opener
	redis  *miniredis.Miniredis
	feed   *feed.Feed
	tenant string
	front  *front
}

const userID = "u-1"

func (b bundle) token(t *testing.T, change ...func(*auth.Principal)) string {
	t.Helper()
	p := auth.Principal{UserID: userID, TenantID: b.tenant, Roles: []user.Role{user.Cashier}, Expires: time.Now().Add(time.Hour)}
	for _, f := range change {
		f(&p)
	}
	return authtest.Token(t, authtest.Config(authtest.Secret), p)
}

// publish publishes an order with the reference.
func (b bundle) publish(t *testing.T, reference string, to ...event.Recipient) message.Message {
	t.Helper()
	m := feedtest.Refer(feedtest.Message(b.tenant, 1, to...), reference)
	if err := b.feed.Publish(t.Context(), b.tenant, m); err != nil {
		t.Fatal(err)
	}
	return m
}
