package gateway_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/auth"
	"orderbell/internal/dev/waittest"
	"orderbell/internal/problem/problemtest"
	"orderbell/internal/tracing/tracingtest"
	"orderbell/sse-gateway/internal/gateway"
)

// TestProblems has one request for each problem of the gateway. Those that all APIs share are in order-api's file.
func TestProblems(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *gateway.Config) { c.Stream.MaxPerUser, c.Stream.MaxPerTenant = 1, 2 })
	var book problemtest.Book
	const streams, tickets, receipts = "GET /api/sse/notifications", "POST /api/sse/tickets", "POST /api/sse/receipts"
	ask := func(request, body string, header ...string) *http.Response {
		t.Helper()
		method, path, _ := strings.Cut(request, " ")
		r, err := http.NewRequestWithContext(t.Context(), method, b.server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		response, err := b.server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = response.Body.Close() })
		return response
	}
	add := func(request, what, body string, header ...string) {
		t.Helper()
		book.Add(t, request+": "+what, ask(request, body, header...))
	}
	as := func(user string, change ...func(*auth.Principal)) []string {
		return []string{"Authorization", "Bearer " + b.token(t, user, change...)}
	}
	good := oneReceipt(uuid.NewString(), tracingtest.Given, 2, 1)
	add(streams, "without a token", "")
	add(streams, "a token that has just expired", "", as("u", func(p *auth.Principal) { p.Expires = time.Now().Add(-time.Second) })...)
	add(streams, "a token without a role", "", as("u", func(p *auth.Principal) { p.Roles = nil })...)
	add(streams, "another media type", "", append(as("u"), "Accept", "application/json")...)
	add(streams+"?ticket=x", "an unknown ticket", "")
	add(streams+"?heartbeat=0", "heartbeat", "", as("u")...)
	add("GET /api/sse/tickets", "another method", "", as("u")...)
	add("GET /api/sse/other", "an unknown path", "", as("u")...)
	add(receipts, "no receipt", `{"receipts":[]}`, as("u-1")...)
	add(receipts, "every field is wrong", oneReceipt("1", "00-x", 30001, -1), as("u-2")...)
	for range 100 {
		if response := ask(receipts, good, as("u-3")...); response.StatusCode == http.StatusTooManyRequests {
			book.Add(t, receipts+": too often", response)
			break
		}
	}
	for range 10 {
		if response := ask(tickets, "", as("u-4")...); response.StatusCode != http.StatusCreated {
			book.Add(t, tickets+": too often", response)
			break
		}
	}
	for _, who := range []string{"ann", "bo"} {
		if f := b.openAs(t, who).mustNext(t); f.Event != "ready" {
			t.Fatalf("the stream of %s begins with %+v", who, f)
		}
		if who == "ann" {
			add(streams, "one stream more than a user may have", "", as("ann")...)
		}
	}
	add(streams, "one stream more than the tenant may have", "", as("carl")...)

	var issued struct{ Ticket string }
	decodeBody(t, ask(tickets, "", as("dan")...), &issued)
	now := time.Now().Add(time.Second)
	if err := b.feed.Revoke(t.Context(), auth.Revocation{TenantID: b.tenant, UserID: "dan", At: now, Until: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	waittest.Until(t, "the revocation has arrived", func() bool { return ask(tickets, "", as("dan")...).StatusCode == http.StatusUnauthorized })
	add(tickets, "a token that was revoked", "", as("dan")...)
	book.Add(t, streams+"?ticket={ticket}: a ticket that was revoked", ask(streams+"?ticket="+issued.Ticket, ""))
	b.gateway.Drain(t.Context())
	add(streams, "the gateway is stopping", "", as("ed")...)
	book.Compare(t)
}

func decodeBody(t *testing.T, response *http.Response, v any) {
	t.Helper()
	if err := json.NewDecoder(response.Body).Decode(v); err != nil {
		t.Fatal(err)
	}
}
