package gateway_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/event"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/openapitest"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/tracing/tracingtest"
	"orderbell/internal/user"
)

func TestRightsAreThoseOfNow(t *testing.T) {
	t.Parallel()
	walk(t, setup(t))
}

// walk calls each route of the gateway in the OpenAPI document with tokens of users whose rights have changed since, and opens
// streams with tickets that were issued before the change.
func walk(t *testing.T, b *bundle) {
	t.Helper()
	b.stop()
	pool := databasetest.New(t)
	users := userstore.New(pool)
	b.db = users
	b.cfg.Rights.CacheFor = time.Minute
	b.start(t)
	document := openapitest.Read(t, "../../../specs/004-order-notifications/contracts/openapi.yaml")
	ours, theirs := b.tenant, feedtest.Tenant()
	someone := func(tenant, name string) (user.User, string) {
		if err := users.EnsureTenant(t.Context(), user.Tenant{ID: tenant, Name: tenant, Locale: "en"}); err != nil {
			t.Fatal(err)
		}
		u, err := users.Add(t.Context(), user.User{TenantID: tenant, Email: name + "@walk.example", Roles: []user.Role{user.Owner}})
		if err != nil {
			t.Fatal(err)
		}
		token, err := b.cfg.Auth.Sign(auth.Principal{UserID: u.ID, TenantID: tenant, Roles: u.Roles, TokenID: name, Expires: time.Now().Add(time.Hour)}, time.Now().Add(-2*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		return u, token
	}
	_, good := someone(ours, "good")
	revoked, withRevoked := someone(ours, "revoked")
	_, withLost := someone(ours, "lost")
	removed, withRemoved := someone(ours, "removed")
	demoted, withDemoted := someone(ours, "demoted")
	foreigner, foreign := someone(theirs, "foreign")
	secret := strings.Repeat("s", 43)
	device := b.device(t, users, secret)
	withDevice := auth.DeviceToken(ours, device, secret)
	forged := func(tenant, userID string, expires time.Duration) string {
		return authtest.Token(t, b.cfg.Auth, auth.Principal{UserID: userID, TenantID: tenant, Roles: []user.Role{user.Owner}, Expires: time.Now().Add(expires)})
	}

	// Before the changes each user is admitted, and has a ticket and a stream.
	before := map[string]string{"good": good, "revoked": withRevoked, "lost": withLost, "removed": withRemoved, "demoted": withDemoted, "device": withDevice, "foreign": foreign}
	tickets, streams := map[string]string{}, map[string]*client{}
	for who, token := range before {
		tickets[who], streams[who] = b.ticket(t, token), b.with(t, token)
		if f := streams[who].mustNext(t); f.Event != "ready" {
			t.Fatalf("%s gets %+v before the changes, want ready", who, f)
		}
	}
	if err := users.Remove(t.Context(), ours, removed.ID, user.Change{}); err != nil {
		t.Fatal(err)
	}
	if _, err := users.Update(t.Context(), ours, demoted.ID, user.Change{Roles: []user.Role{user.Viewer}}, user.InvitationTerms{}); err != nil {
		t.Fatal(err)
	}
	if _, err := users.RevokeDevice(t.Context(), ours, device, user.Act{Actor: "user:x"}); err != nil {
		t.Fatal(err)
	}
	for _, r := range []auth.Revocation{
		{UserID: revoked.ID}, {TokenID: "lost"}, {UserID: removed.ID}, {UserID: device}, {UserID: demoted.ID, Changed: true},
	} {
		b.revoke(t, r)
	}
	for _, who := range []string{"revoked", "lost", "removed", "demoted", "device"} {
		ended(t, streams[who])
		if c := b.do(t, b.request(t, t.Context(), "/api/sse/notifications?ticket="+tickets[who])); c.StatusCode != http.StatusUnauthorized {
			t.Errorf("the earlier ticket of %s is answered %d, want 401", who, c.StatusCode)
		}
	}

	m := feedtest.Message(ours, 1, event.Recipient{UserID: demoted.ID, NotificationID: uuid.NewString()})
	if err := b.feed.Publish(t.Context(), ours, m); err != nil {
		t.Fatal(err)
	}
	bodies := map[string]string{"POST /api/sse/receipts": oneReceipt(m.ID, tracingtest.Given, 2, 1)}
	walked := 0
	for _, o := range document.Operations() {
		if !strings.HasPrefix(o.Path, "/api/sse/") {
			continue
		}
		routed := o.Method + " " + o.Path
		walked++
		if o.Public || !o.EveryRole || strings.Contains(o.Path, "{") {
			t.Fatalf("this walk does not know a route such as %s", routed)
		}
		for who, c := range map[string]struct {
			token string
			want  int
		}{
			"a stranger":                     {"", 401},
			"a revoked user":                 {withRevoked, 401},
			"a revoked token":                {withLost, 401},
			"a removed user":                 {withRemoved, 401},
			"a revoked device":               {withDevice, 401},
			"an expired token":               {forged(ours, demoted.ID, -time.Minute), 401},
			"a user who does not exist":      {forged(ours, uuid.NewString(), time.Hour), 403},
			"another business's user here":   {forged(ours, foreigner.ID, time.Hour), 403},
			"this business's user there":     {forged(theirs, demoted.ID, time.Hour), 403},
			"a business that does not exist": {forged("nowhere", demoted.ID, time.Hour), 403},
			"a demoted user":                 {withDemoted, 0}, // every role may
			"a user of the business":         {good, 0},
		} {
			status := b.answered(t, document, o, c.token, bodies[routed])
			if c.want != 0 && status != c.want || c.want == 0 && status/100 != 2 {
				t.Errorf("%s by %s is answered %d, want %d (0: success)", routed, who, status, c.want)
			}
		}
	}
	if walked != len(b.gateway.Routes()) {
		t.Errorf("%d routes were walked, the gateway serves %v", walked, b.gateway.Routes())
	}
	// Only the business of an event sees it: the next frame of the other business is its own event.
	if f := streams["good"].mustNext(t); f.ID != m.ID {
		t.Errorf("the business gets %+v, want its event %s", f, m.ID)
	}
	own := feedtest.Message(theirs, 2)
	if err := b.feed.Publish(t.Context(), theirs, own); err != nil {
		t.Fatal(err)
	}
	if f := streams["foreign"].mustNext(t); f.ID != own.ID {
		t.Errorf("the other business gets %+v, want its own event %s", f, own.ID)
	}
	if f := b.with(t, foreign, "Last-Event-ID", m.ID).mustNext(t); strings.Contains(f.Data, m.ID) || strings.Contains(f.Data, `"resumed":true`) {
		t.Errorf("the other business resumes after this one's event: %+v", f)
	}
}

// with opens a stream with a token.
func (b *bundle) with(t *testing.T, token string, header ...string) *client {
	t.Helper()
	header = append([]string{"Accept", "text/event-stream", "Authorization", "Bearer " + token}, header...)
	return b.do(t, b.request(t, t.Context(), "/api/sse/notifications", header...))
}

// device pairs a device of the bundle's tenant, and returns its id.
func (b *bundle) device(t *testing.T, users *userstore.Store, secret string) string {
	t.Helper()
	const code = "BCDF-GHJK"
	if err := users.BeginPairing(t.Context(), code, user.HashSecret(secret)); err != nil {
		t.Fatal(err)
	}
	d, err := users.Pair(t.Context(), user.Device{TenantID: b.tenant, Name: "Till", Role: user.Kitchen}, code, 10, user.Act{Actor: "user:x"}, "")
	if err != nil {
		t.Fatal(err)
	}
	return d.ID
}

// answered calls a route as the document has it, and returns the status. An answer that ends is held to the document.
func (b *bundle) answered(t *testing.T, document *openapitest.Document, o openapitest.Operation, token, body string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), o.Method, b.server.URL+o.Path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	c := b.do(t, r)
	if c.StatusCode == http.StatusOK { // a stream
		if f := c.mustNext(t); f.Event != "ready" {
			t.Errorf("%s begins with %+v, want ready", o.Path, f)
		}
		return c.StatusCode
	}
	all, err := io.ReadAll(c.Body)
	if err != nil {
		t.Fatal(err)
	}
	document.Check(t, o.Method, o.Path, c.StatusCode, c.Header, all)
	return c.StatusCode
}
