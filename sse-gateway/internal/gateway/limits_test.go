package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"orderbell/internal/dev/waittest"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
	"orderbell/sse-gateway/internal/gateway"
)

// TestTheOperatorsLimitsOfATenantHold sets limits as the operator does, and reads them as the gateway's role.
func TestTheOperatorsLimitsOfATenantHold(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	operator := userstore.New(databasetest.Open(t, address))
	streams, bytes := int64(2), user.LogBytes.Least()
	b := setup(t, func(c *gateway.Config) { c.Stream.MaxPerTenant = 3 })
	for _, id := range []string{b.tenant, "other"} {
		if err := operator.EnsureTenant(t.Context(), user.Tenant{ID: id, Name: id, Locale: "en"}); err != nil {
			t.Fatal(err)
		}
		for n := range 4 {
			who := user.User{ID: userID(n, id == "other"), TenantID: id, Email: fmt.Sprintf("u%d@%s.example", n, id), Name: "u", Roles: []user.Role{user.Viewer}, TimeZone: "UTC"}
			if _, err := operator.EnsureUser(t.Context(), who); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := operator.SetLimits(t.Context(), b.tenant, "operator:ana", map[user.Limit]*int64{user.MaxStreams: &streams, user.LogBytes: &bytes}); err != nil {
		t.Fatal(err)
	}
	b.stop()
	b.db = userstore.New(databasetest.Open(t, databasetest.As(t, address, "orderbell_sse_gateway")))
	b.start(t)

	limited := b.tenant
	var open []*client
	for n := range 2 {
		c := b.openAs(t, userID(n, false))
		if f := c.mustNext(t); f.Event != "ready" {
			t.Fatalf("stream %d begins with %+v, want ready", n, f)
		}
		open = append(open, c)
	}
	refused := b.openAs(t, userID(2, false), "Last-Event-ID", "x.1").mustNext(t)
	if refused.Event != "overloaded" || !strings.Contains(refused.Data, `"limit":"max_streams"`) {
		t.Errorf("one stream more than max_streams is %+v, want overloaded with the limit's name", refused)
	}
	response := b.status(t, http.MethodGet, "/api/sse/notifications", "Authorization", "Bearer "+b.token(t, userID(2, false)), "Accept", "*/*")
	var problem struct{ Limit, Detail string }
	if err := json.NewDecoder(response.Body).Decode(&problem); err != nil || response.StatusCode != http.StatusTooManyRequests ||
		problem.Limit != "max_streams" || problem.Detail != "the limit max_streams of 2 is reached: wait and try again" {
		t.Errorf("status %d, %+v, %v, want 429 that names max_streams and 2", response.StatusCode, problem, err)
	}
	b.tenant = "other"
	for n := range 3 {
		c := b.openAs(t, userID(n, true))
		if f := c.mustNext(t); f.Event != "ready" {
			t.Errorf("another tenant's stream %d begins with %+v, want ready: its limit is the default of 3", n, f)
		}
		open = append(open, c)
	}
	response = b.status(t, http.MethodGet, "/api/sse/notifications", "Authorization", "Bearer "+b.token(t, userID(3, true)), "Accept", "*/*")
	if err := json.NewDecoder(response.Body).Decode(&problem); err != nil || problem.Limit != "max_streams" || !strings.Contains(problem.Detail, "3") {
		t.Errorf("one stream more than the default is %+v, %v, want max_streams and 3", problem, err)
	}

	for _, c := range open {
		_ = c.Body.Close()
	}
	// 400 events take more than 64 KiB and less than the default of 4 MiB.
	for tenant, resumed := range map[string]bool{limited: false, "other": true} {
		b.tenant = tenant
		first := b.publish(t, 1)
		for n := range 400 {
			b.publish(t, n+2)
		}
		waittest.Until(t, "a client that saw the first event resumes, unless the log has dropped events", func() bool {
			c := b.openAs(t, userID(0, tenant == "other"), "Last-Event-ID", first.ID)
			f, err := c.next()
			_ = c.Body.Close()
			return err == nil && f.Event == "ready" && strings.Contains(f.Data, fmt.Sprintf(`"resumed":%t`, resumed))
		})
	}
}

// userID returns the id of the tenant's n-th user.
func userID(n int, other bool) string {
	tenant := 0
	if other {
		tenant = 1
	}
	return fmt.Sprintf("01a2b3c4-0000-7000-800%d-%012d", tenant, n)
}
