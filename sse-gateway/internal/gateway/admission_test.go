package gateway_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/auth"
	"orderbell/internal/duration"
	"orderbell/internal/user"
	"orderbell/sse-gateway/internal/gateway"
)

func (b *bundle) status(t *testing.T, method, path string, header ...string) *http.Response {
	t.Helper()
	r := b.request(t, t.Context(), path, header...)
	r.Method = method
	response, err := b.server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func TestWhoIsTurnedAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bearer := func(change func(*auth.Principal)) string { return "Bearer " + b.token(t, "u", change) }
	good := bearer(func(*auth.Principal) {})
	unsigned := "Bearer eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + "."
	const stream, tickets = "/api/sse/notifications", "/api/sse/tickets"
	for name, c := range map[string]struct {
		method, path string
		header       []string
		want         int
	}{
		"without a token":               {"GET", stream, nil, 401},
		"with a malformed token":        {"GET", stream, []string{"Authorization", "Bearer x.y.z"}, 401},
		"with an unsigned token":        {"GET", stream, []string{"Authorization", unsigned}, 401},
		"with another scheme":           {"GET", stream, []string{"Authorization", "Basic dTpw"}, 401},
		"with a token in the URL":       {"GET", stream + "?access_token=" + strings.TrimPrefix(good, "Bearer "), nil, 401},
		"with a token for a ticket":     {"GET", stream + "?ticket=" + strings.TrimPrefix(good, "Bearer "), nil, 401},
		"with an unknown ticket":        {"GET", stream + "?ticket=" + strings.Repeat("a", 32), nil, 401},
		"with an expired token":         {"GET", stream, []string{"Authorization", bearer(func(p *auth.Principal) { p.Expires = time.Now().Add(-time.Hour) })}, 401},
		"with one that expired now":     {"GET", stream, []string{"Authorization", bearer(func(p *auth.Principal) { p.Expires = time.Now().Add(-time.Second) })}, 401},
		"without a tenant":              {"GET", stream, []string{"Authorization", bearer(func(p *auth.Principal) { p.TenantID = "" })}, 401},
		"with a tenant that breaks out": {"GET", stream, []string{"Authorization", bearer(func(p *auth.Principal) { p.TenantID = "a}:x" })}, 401},
		"without a role":                {"GET", stream, []string{"Authorization", bearer(func(p *auth.Principal) { p.Roles = nil })}, 403},
		"with an unknown role":          {"GET", stream, []string{"Authorization", bearer(func(p *auth.Principal) { p.Roles = []user.Role{"king"} })}, 403},
		"who wants JSON":                {"GET", stream, []string{"Authorization", good, "Accept", "application/json"}, 406},
		"who refuses event streams":     {"GET", stream, []string{"Authorization", good, "Accept", "text/event-stream;q=0, text/html"}, 406},
		"who posts":                     {"POST", stream, []string{"Authorization", good}, 405},
		"who deletes":                   {"DELETE", stream, []string{"Authorization", good}, 405},
		"who reads tickets":             {"GET", tickets, []string{"Authorization", good}, 405},
		"elsewhere":                     {"GET", "/api/sse/other", []string{"Authorization", good}, 404},
		"a ticket without a token":      {"POST", tickets, nil, 401},
		"a ticket without a role":       {"POST", tickets, []string{"Authorization", bearer(func(p *auth.Principal) { p.Roles = nil })}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response := b.status(t, c.method, c.path, c.header...)
			var problem struct{ Status int }
			if err := json.NewDecoder(response.Body).Decode(&problem); err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != c.want || problem.Status != c.want || response.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("status %d with %+v of type %s, want a problem with %d", response.StatusCode, problem, response.Header.Get("Content-Type"), c.want)
			}
			if c.want == 401 && response.Header.Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
			if c.want == 405 && response.Header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
		})
	}
}

func TestEveryRoleMayWatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, role := range user.Roles() {
		token := b.token(t, "u", func(p *auth.Principal) { p.Roles = []user.Role{role} })
		if c := b.do(t, b.request(t, t.Context(), "/api/sse/notifications", "Authorization", "Bearer "+token)); c.StatusCode != http.StatusOK {
			t.Errorf("role %s: status %d", role, c.StatusCode)
		}
	}
}

// TestTicketsAreBounded has a user who requests tickets in a loop: Redis, which all tenants share, keeps each for 30 seconds.
func TestTicketsAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *gateway.Config) { c.Stream.MaxPerUser = 3 })
	status, issued := http.StatusCreated, -1
	for ; status == http.StatusCreated && issued < 60; issued++ { // a few come back meanwhile
		status = b.status(t, http.MethodPost, "/api/sse/tickets", "Authorization", "Bearer "+b.token(t, "ann")).StatusCode
	}
	if status != http.StatusTooManyRequests || issued < 6 {
		t.Errorf("after %d tickets the status is %d, want 429 after twice as many as streams", issued, status)
	}
	if got := b.status(t, http.MethodPost, "/api/sse/tickets", "Authorization", "Bearer "+b.token(t, "bo")).StatusCode; got != http.StatusCreated {
		t.Errorf("another user's ticket is %d", got)
	}
}

func TestATicketOpensOneStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	response := b.status(t, http.MethodPost, "/api/sse/tickets", "Authorization", "Bearer "+b.token(t, "ann"))
	var issued struct {
		Ticket    string
		ExpiresIn int `json:"expires_in"`
	}
	if err := json.NewDecoder(response.Body).Decode(&issued); err != nil || response.StatusCode != http.StatusCreated || issued.ExpiresIn != 30 {
		t.Fatalf("status %d, %+v, %v; want 201 and a ticket for 30 s", response.StatusCode, issued, err)
	}
	var opened, refused atomic.Int32
	var wait sync.WaitGroup
	for range 5 {
		wait.Go(func() {
			c := b.do(t, b.request(t, t.Context(), "/api/sse/notifications?ticket="+issued.Ticket, "Accept", "text/event-stream"))
			switch c.StatusCode {
			case http.StatusOK:
				opened.Add(1)
				if f := c.mustNext(t); !strings.Contains(f.Data, b.tenant) {
					t.Errorf("the stream is %+v, want the ticket's tenant", f)
				}
			case http.StatusUnauthorized:
				refused.Add(1)
			}
		})
	}
	wait.Wait()
	if opened.Load() != 1 || refused.Load() != 4 {
		t.Errorf("%d streams and %d refusals, want 1 and 4", opened.Load(), refused.Load())
	}
}

func TestLimitsHoldUnderARush(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*gateway.Config)
		most   int
		reason string
		status int
	}{
		"instance": {func(c *gateway.Config) { c.Stream.MaxClients = 5 }, 5, "instance_full", 503},
		"tenant":   {func(c *gateway.Config) { c.Stream.MaxPerTenant = 7 }, 7, "tenant_full", 429},
		"user":     {func(c *gateway.Config) { c.Stream.MaxPerUser = 3 }, 3, "user_full", 429},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, c.change)
			var opened atomic.Int32
			var mu sync.Mutex
			var clients []*client
			var wait sync.WaitGroup
			for range 40 {
				wait.Go(func() {
					client := b.open(t, "Last-Event-ID", "x.1")
					f, err := client.next()
					switch {
					case err != nil:
						t.Error(err)
					case f.Event == "ready":
						opened.Add(1)
						mu.Lock()
						clients = append(clients, client)
						mu.Unlock()
					case f.Event == "overloaded":
						checkOverloaded(t, client, f, c.reason)
					default:
						t.Errorf("got %+v", f)
					}
				})
			}
			wait.Wait()
			if got := int(opened.Load()); got != c.most {
				t.Errorf("%d streams are open, want %d", got, c.most)
			}
			// A client that is not an EventSource gets a status.
			response := b.status(t, http.MethodGet, "/api/sse/notifications", "Authorization", "Bearer "+b.token(t, "u-1"), "Accept", "*/*")
			after, err := strconv.Atoi(response.Header.Get("Retry-After"))
			if response.StatusCode != c.status || err != nil || after < 5 || after > 30 {
				t.Errorf("status %d with Retry-After %q, want %d with 5 to 30", response.StatusCode, response.Header.Get("Retry-After"), c.status)
			}
			// A released place is free again.
			_ = clients[0].Body.Close()
			over := time.After(patience)
			for {
				if f, err := b.open(t).next(); err == nil && f.Event == "ready" {
					return
				}
				select {
				case <-over:
					t.Fatal("the place was not released")
				case <-time.After(5 * time.Millisecond):
				}
			}
		})
	}
}

func checkOverloaded(t *testing.T, c *client, f frame, reason string) {
	t.Helper()
	var data struct {
		Reason  string
		RetryMS int `json:"retry_ms"`
	}
	if err := json.Unmarshal([]byte(f.Data), &data); err != nil || data.Reason != reason || strconv.Itoa(data.RetryMS) != f.Retry {
		t.Errorf("overloaded says %+v with retry %s, %v; want reason %s", data, f.Retry, err, reason)
	}
	if f.ID != "x.1" || data.RetryMS < 5000 || data.RetryMS > 30_000 {
		t.Errorf("overloaded is %+v, want the client's own id and 5 to 30 s", f)
	}
	if _, err := c.next(); err != io.ErrUnexpectedEOF { //nolint:errorlint // net/http's own value
		t.Errorf("the answer ends with %v, want an incomplete body", err)
	}
}

func TestRedisAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	known := b.open(t)
	known.mustNext(t)
	b.redis.SetError("LOADING")
	m := b.status(t, http.MethodPost, "/api/sse/tickets", "Authorization", "Bearer "+b.token(t, "u"))
	if m.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a ticket without Redis: status %d, want 503", m.StatusCode)
	}
	b.tenant = "cold"
	if f := b.open(t).mustNext(t); f.Event != "overloaded" || !strings.Contains(f.Data, "unavailable") {
		t.Errorf("a tenant whose log cannot be read gets %+v, want overloaded", f)
	}
	b.redis.SetError("")
	if f := b.open(t).mustNext(t); f.Event != "ready" {
		t.Errorf("once Redis is back: %+v, want ready", f)
	}
}

func TestPagesOfOtherOrigins(t *testing.T) {
	t.Parallel()
	const shop = "https://shop.example"
	for name, c := range map[string]struct {
		allowed []string
		origin  string
		want    string
	}{
		"an allowed one":     {[]string{"https://other.example", shop}, shop, shop},
		"any":                {[]string{"*"}, shop, shop},
		"one not allowed":    {[]string{"https://other.example"}, shop, ""},
		"none is configured": {nil, shop, ""},
		"no origin":          {[]string{"*"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(cfg *gateway.Config) { cfg.Stream.AllowedOrigins = c.allowed })
			preflight := b.status(t, http.MethodOptions, "/api/sse/notifications", "Origin", c.origin, "Access-Control-Request-Headers", "authorization")
			stream := b.open(t, "Origin", c.origin)
			refused := b.status(t, http.MethodGet, "/api/sse/notifications", "Origin", c.origin)
			for _, r := range []*http.Response{preflight, stream.Response, refused} {
				if diff := cmp.Diff(c.want, r.Header.Get("Access-Control-Allow-Origin")); diff != "" {
					t.Errorf("status %d, Access-Control-Allow-Origin (-want +got):\n%s", r.StatusCode, diff)
				}
				if r.Header.Get("Access-Control-Allow-Credentials") != "" {
					t.Error("credentials are allowed")
				}
			}
			if preflight.StatusCode != http.StatusNoContent || c.want != "" && !strings.Contains(preflight.Header.Get("Access-Control-Allow-Headers"), "Last-Event-ID") {
				t.Errorf("preflight: status %d, headers %v", preflight.StatusCode, preflight.Header)
			}
		})
	}
}

func TestBadConfigurationsAreNamed(t *testing.T) {
	t.Parallel()
	for variable, change := range map[string]func(*gateway.Config){
		"SSE_MAX_CLIENTS_PER_INSTANCE":  func(c *gateway.Config) { c.Stream.MaxClients = 0 },
		"SSE_MAX_CLIENTS_PER_TENANT":    func(c *gateway.Config) { c.Stream.MaxPerTenant = -1 },
		"SSE_MAX_CLIENTS_PER_USER":      func(c *gateway.Config) { c.Stream.MaxPerUser = 0 },
		"SSE_HEARTBEAT_SECONDS":         func(c *gateway.Config) { c.Fanout.Heartbeat = 0 },
		"SSE_WRITE_TIMEOUT_SECONDS":     func(c *gateway.Config) { c.Fanout.WriteTimeout = 0 },
		"SSE_LOG_MAX_BYTES":             func(c *gateway.Config) { c.Logs.MaxBytes = 1 },
		"SSE_LOG_MAX_EVENTS":            func(c *gateway.Config) { c.Logs.MaxEvents = 1 },
		"SSE_COMPARE_SECONDS":           func(c *gateway.Config) { c.Logs.CompareEvery = 0 },
		"SSE_REPLAY_BUFFER_TTL_SECONDS": func(c *gateway.Config) { c.Feed.ReplayTTL = duration.Seconds(time.Millisecond) },
		"AUTH_JWKS_URL":                 func(c *gateway.Config) { c.Auth.DevSecret = "" },
	} {
		cfg := config("redis://localhost:6379")
		change(&cfg)
		if _, err := start(t, cfg); err == nil || !strings.Contains(err.Error(), variable) {
			t.Errorf("%s: error is %v, want one that names it", variable, err)
		}
	}
}

func TestHugeHeadersAndBodiesDoNoHarm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.request(t, t.Context(), "/api/sse/tickets", "Authorization", "Bearer "+b.token(t, "u"))
	r.Method = http.MethodPost
	r.Body = io.NopCloser(io.LimitReader(bytes.NewReader(make([]byte, 64<<20)), 64<<20))
	response, err := b.server.Client().Do(r)
	if err == nil { // or the server has closed the connection on the rest of the body
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusCreated {
			t.Errorf("a ticket asked for with a body: status %d", response.StatusCode)
		}
	}
}
