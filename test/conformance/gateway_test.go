//go:build conformance

// Package conformance_test drives the gateway's program with clients that users use: the event source of Chromium, npm's
// eventsource, a client around npm's eventsource-parser, and the client of r3labs/sse. Between them and the gateway stands
// a line that breaks answers into small writes, cuts, and answers in the gateway's stead.
package conformance_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/dev/embedded"
	"orderbell/internal/dev/process"
	"orderbell/internal/event"
	"orderbell/internal/feed"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/feed/message"
	"orderbell/internal/user"
)

// binary is what `make build` built.
const binary = "../../bin/sse-gateway"

// gateway is a running one.
type gateway struct {
	*process.Process
	address string
}

// startGateway runs the gateway's program until the test ends, as it is installed but for a quick heart, two streams a
// user, and the variables.
func startGateway(t *testing.T, redis *miniredis.Miniredis, variables ...string) *gateway {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	address, err := embedded.FreeAddr(ctx)
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary) //nolint:noctx // Kill ends it, and with this process it ends anyway
	cmd.Env = append(os.Environ(), "LISTEN_HOST="+host, "PORT="+port, "REDIS_URL=redis://"+redis.Addr(), "AUTH_JWKS_URL=",
		"AUTH_DEV_SECRET="+authtest.Secret, "SSE_HEARTBEAT_SECONDS=1", "SSE_MAX_CLIENTS_PER_USER=2", "SSE_DRAIN_SECONDS=1")
	cmd.Env = append(cmd.Env, variables...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	p, err := process.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		<-p.Done()
		if t.Failed() {
			t.Logf("the gateway said:\n%s", said.String())
		}
	})
	for !ready(ctx, "http://"+address) {
		select {
		case <-p.Done():
			t.Fatalf("the gateway ended before it was ready: %v\n%s", p.Err(), said.String())
		case <-ctx.Done():
			t.Fatal("the gateway does not get ready")
		case <-time.After(20 * time.Millisecond):
		}
	}
	return &gateway{p, address}
}

func ready(ctx context.Context, origin string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+"/healthz/ready", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	_ = response.Body.Close() // it is empty
	return response.StatusCode == http.StatusNoContent
}

// bundle is one client's world: a tenant of its own, and a front before the gateway.
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
