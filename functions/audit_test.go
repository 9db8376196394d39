package functions_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/server"
	"orderbell/internal/user"
)

// TestTheAuditTrail makes the requests that the trail records, allowed and refused ones, through the chain of proxies of a
// cluster, and with a header that a client has made up.
func TestTheAuditTrail(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var proxies server.Prefixes
	if err := proxies.Decode("10.0.0.0/8,127.0.0.0/8"); err != nil {
		t.Fatal(err)
	}
	limits := server.NewLimits(server.Config{MaxConnections: 100, MaxPerAddress: 100, TrustedProxies: proxies})
	h := server.New(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		for _, api := range w.apis {
			if slices.ContainsFunc(api.Routes(), func(route string) bool { return strings.HasPrefix(route, r.Method+" /api/users") }) {
				api.ServeHTTP(rw, r)
				return
			}
		}
	}), server.Internal(), limits, slog.New(slog.DiscardHandler)).Handler
	ask := func(token, method, path, body, peer, forwarded string) int {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.RemoteAddr = peer + ":4711"
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, r)
		_, _ = io.Copy(io.Discard, recorder.Body)
		return recorder.Code
	}
	token := func(p auth.Principal) string {
		p.TenantID = "acme"
		return authtest.Token(t, w.tokens, p)
	}
	viewer, err := w.users.Add(t.Context(), user.User{TenantID: "acme", Email: "vi@acme.example", Roles: []user.Role{user.Manager}})
	if err != nil {
		t.Fatal(err)
	}
	owner := token(auth.Principal{UserID: w.owner.ID, Roles: w.owner.Roles})
	stranger := authtest.Token(t, authtest.Config(strings.Repeat("another secret", 4)), auth.Principal{UserID: "u", TenantID: "acme"})
	const through = "203.0.113.7, 10.0.0.4, 10.0.0.5" // client, the front end, Knative's ingress; the peer is the queue-proxy
	for _, c := range []struct {
		token, method, path, body, peer, forwarded string
		want                                       int
	}{
		{owner, "PATCH", "/api/users/" + viewer.ID, `{"roles":["viewer"]}`, "127.0.0.1", through, 200},
		{token(auth.Principal{UserID: viewer.ID}), "PATCH", "/api/users/" + viewer.ID, `{"roles":["owner"]}`, "127.0.0.1", through, 403},
		{token(auth.Principal{UserID: viewer.ID}), "PATCH", "/api/users/" + viewer.ID, `{"roles":["owner"]}`, "127.0.0.1", through, 403},
		{token(auth.Principal{UserID: w.owner.ID, Expires: time.Now().Add(-time.Hour)}), "GET", "/api/users", "", "127.0.0.1", "192.0.2.99, " + through, 401},
		{stranger, "GET", "/api/users", "", "198.51.100.9", "192.0.2.99", 401}, // not a proxy: its header is ignored
		{"", "GET", "/api/users", "", "198.51.100.9", "", 401},                 // has no such header
		{owner, "DELETE", "/api/users/" + viewer.ID, "", "127.0.0.1", through, 204},
	} {
		if got := ask(c.token, c.method, c.path, c.body, c.peer, c.forwarded); got != c.want {
			t.Fatalf("%s %s: status %d, want %d", c.method, c.path, got, c.want)
		}
	}
	w.revocations.Flush()
	var got []string
	for _, tenant := range []string{"acme", user.NoTenant} {
		records, err := w.users.Records(t.Context(), tenant, time.Time{}, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			got = append(got, fmt.Sprintf("%s %s %s %s %s %d %s", r.TenantID, r.Actor, r.Action, r.Address, r.Outcome, r.Times, r.Detail))
		}
	}
	slices.Sort(got)
	of, gone := "acme user:"+w.owner.ID, "acme user:"+viewer.ID
	want := []string{
		of + " device.paired  done 1 name canary, role kitchen", // by setup
		of + " sign_in 203.0.113.7 refused 1 the token has expired: sign in again",
		of + " user.changed 203.0.113.7 done 1 roles [manager] are [viewer]",
		of + " user.removed 203.0.113.7 done 1 address vi@acme.example, roles [viewer]",
		gone + " request 203.0.113.7 refused 2 PATCH /api/users/{id}: this request needs one of the roles owner, manager",
		"-  sign_in 198.51.100.9 refused 1 the token's signature is not valid: sign in again",
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
