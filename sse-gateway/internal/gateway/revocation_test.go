package gateway_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"orderbell/internal/auth"
	"orderbell/internal/dev/waittest"
	"orderbell/internal/user"
)

// as opens a stream with a token of the given issue and id.
func (b *bundle) as(t *testing.T, user, tokenID string) *client {
	t.Helper()
	token := b.token(t, user, func(p *auth.Principal) { p.TokenID = tokenID })
	return b.do(t, b.request(t, t.Context(), "/api/sse/notifications", "Accept", "text/event-stream", "Authorization", "Bearer "+token))
}

func (b *bundle) ticket(t *testing.T, token string) string {
	t.Helper()
	response := b.status(t, http.MethodPost, "/api/sse/tickets", "Authorization", "Bearer "+token)
	var issued struct{ Ticket string }
	if err := json.NewDecoder(response.Body).Decode(&issued); err != nil {
		t.Fatal(err)
	}
	return issued.Ticket
}

func (b *bundle) revoke(t *testing.T, r auth.Revocation) {
	t.Helper()
	r.TenantID, r.At, r.Until = b.tenant, time.Now(), time.Now().Add(time.Hour)
	if err := b.feed.Revoke(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// ended waits for the stream's end, which is announced by retry alone.
func ended(t *testing.T, c *client) {
	t.Helper()
	if f := c.mustNext(t); f.Retry == "" || f.Event != "" {
		t.Errorf("got %+v, want retry alone", f)
	}
	if f, err := c.next(); err == nil {
		t.Errorf("got %+v, want the stream's end", f)
	}
}

func TestARevokedUsersStreamsEndAndNobodyElses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	gone, also, stays := b.as(t, "u-1", "a"), b.as(t, "u-1", "b"), b.as(t, "u-2", "c")
	for _, c := range []*client{gone, also, stays} {
		c.mustNext(t)
	}
	b.revoke(t, auth.Revocation{UserID: "u-1"})
	ended(t, gone)
	ended(t, also)
	if c := b.as(t, "u-1", "d"); c.StatusCode != http.StatusUnauthorized { // issued in the same second: in doubt it is old
		t.Errorf("the revoked user is answered %d, want 401", c.StatusCode)
	}
	m := b.publish(t, 1)
	if f := stays.mustNext(t); f.ID != m.ID {
		t.Errorf("the other user gets %+v, want event %s", f, m.ID)
	}
}

func TestARevokedTokensStreamEndsAndItsUsersOthersStay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ticket := func() string { return b.ticket(t, b.token(t, "u-1", func(p *auth.Principal) { p.TokenID = "lost" })) }
	before := ticket()
	gone, stays := b.as(t, "u-1", "lost"), b.as(t, "u-1", "kept")
	gone.mustNext(t)
	stays.mustNext(t)
	b.revoke(t, auth.Revocation{TokenID: "lost"})
	ended(t, gone)
	if c := b.as(t, "u-1", "lost"); c.StatusCode != http.StatusUnauthorized {
		t.Errorf("the revoked token is answered %d, want 401", c.StatusCode)
	}
	if c := b.do(t, b.request(t, t.Context(), "/api/sse/notifications?ticket="+before)); c.StatusCode != http.StatusUnauthorized {
		t.Errorf("the revoked token's ticket is answered %d, want 401", c.StatusCode)
	}
	m := b.publish(t, 1)
	if f := stays.mustNext(t); f.ID != m.ID {
		t.Errorf("the user's other stream gets %+v, want event %s", f, m.ID)
	}
}

func TestRevocationsReachAGatewayThatStartsLater(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.revoke(t, auth.Revocation{UserID: "u-1"})
	b.stop()
	b.start(t)
	waittest.Until(t, "the revoked user is turned away", func() bool {
		c := b.as(t, "u-1", "")
		if c.StatusCode == http.StatusOK && c.mustNext(t).Event == "ready" {
			t.Fatal("the revoked user was let in")
		}
		return c.StatusCode == http.StatusUnauthorized
	})
}

// kept are the revocations of a database whose users are all viewers.
type kept struct {
	rows

	all []auth.Revocation
}

func (k kept) Revocations(context.Context) ([]auth.Revocation, error) { return k.all, nil }

// TestARevocationOutlivesRedis starts a gateway on an empty Redis. Tokens and earlier tickets are refused if the database has
// their revocation.
func TestARevocationOutlivesRedis(t *testing.T) {
	t.Parallel()
	b := setup(t)
	now := time.Now()
	b.revoke(t, auth.Revocation{UserID: "u-1"})
	b.stop()
	b.redis.FlushAll()
	b.db = kept{rows{"u-1": user.Viewer, "u-2": user.Viewer}, []auth.Revocation{{TenantID: b.tenant, UserID: "u-1", At: now, Until: now.Add(time.Hour)}}}
	b.start(t)
	b.as(t, "u-2", "").mustNext(t)
	if c := b.as(t, "u-1", ""); c.StatusCode != http.StatusUnauthorized {
		t.Errorf("the stream is answered %d, want 401", c.StatusCode)
	}
	if res := b.status(t, http.MethodPost, "/api/sse/tickets", "Authorization", "Bearer "+b.token(t, "u-1")); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("the ticket is answered %d, want 401", res.StatusCode)
	}
}

func TestARevokedStreamOverHTTP2Ends(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.server.Close()
	b.server = httptest.NewUnstartedServer(b.gateway)
	b.server.EnableHTTP2 = true
	b.server.StartTLS()
	c := b.as(t, "u-1", "a")
	if c.ProtoMajor != 2 {
		t.Fatalf("the protocol is %s", c.Proto)
	}
	c.mustNext(t)
	b.revoke(t, auth.Revocation{UserID: "u-1"})
	ended(t, c)
}

func TestAUserWhoseRolesChangeComesBackWithTheNewOnes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.ticket(t, b.token(t, "u-1"))
	gone, stays := b.as(t, "u-1", "a"), b.as(t, "u-2", "c")
	for _, c := range []*client{gone, stays} {
		c.mustNext(t)
	}
	b.revoke(t, auth.Revocation{UserID: "u-1", Changed: true})
	ended(t, gone)
	if c := b.do(t, b.request(t, t.Context(), "/api/sse/notifications?ticket="+before)); c.StatusCode != http.StatusUnauthorized {
		t.Errorf("the ticket of the old roles is answered %d, want 401", c.StatusCode)
	}
	again := b.as(t, "u-1", "a")
	again.mustNext(t)
	m := b.publish(t, 1)
	for who, c := range map[string]*client{"the user again": again, "the other user": stays} {
		if f := c.mustNext(t); f.ID != m.ID {
			t.Errorf("%s gets %+v, want event %s", who, f, m.ID)
		}
	}
}

// rows are users by id, each with a role.
type rows map[string]user.Role

func (r rows) Roles(_ context.Context, _, userID string) ([]user.Role, error) {
	if role, ok := r[userID]; ok {
		return []user.Role{role}, nil
	}
	return nil, user.ErrNotFound
}

// Revocations implements [rights.Source]: the database has none.
func (rows) Revocations(context.Context) ([]auth.Revocation, error) { return nil, nil }

// AddRefusals implements [gateway.Database].
func (rows) AddRefusals(context.Context, string, []user.Record) error { return nil }

// DeviceRole implements [rights.Users]: there is no device.
func (rows) DeviceRole(context.Context, string, string, string) (user.Role, error) {
	return "", user.ErrNotFound
}

// Limits implements [gateway.Database]: the operator has chosen none.
func (rows) Limits(context.Context, string) (user.Limits, error) { return user.Limits{}, nil }

func TestAUserWhoDoesNotExistGetsNeitherStreamNorTicket(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stop()
	b.db = rows{"u-1": user.Viewer}
	b.start(t)
	b.as(t, "u-1", "").mustNext(t)
	if c := b.as(t, "u-2", ""); c.StatusCode != http.StatusForbidden {
		t.Errorf("the stream is answered %d, want 403", c.StatusCode)
	}
	if res := b.status(t, http.MethodPost, "/api/sse/tickets", "Authorization", "Bearer "+b.token(t, "u-2")); res.StatusCode != http.StatusForbidden {
		t.Errorf("the ticket is answered %d, want 403", res.StatusCode)
	}
}
