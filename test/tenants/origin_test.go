//go:build tenants

package tenants_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/openapitest"
	"orderbell/internal/user"
)

// TestTheOriginKeepsItsRightsAndMetrics runs on the stores of the environment, or on embedded ones.
func TestTheOriginKeepsItsRightsAndMetrics(t *testing.T) {
	s := start(t)
	t.Run("each route refuses a token that is not of a user of its business", s.rights)
	t.Run("no path leads to metrics", s.metrics)
}

func (s *stack) rights(t *testing.T) {
	token := func(tenant, id string, expires time.Duration) string {
		return authtest.Token(t, authtest.Config(s.Secret), auth.Principal{
			UserID: id, TenantID: tenant, Roles: []user.Role{user.Owner}, Expires: time.Now().Add(expires),
		})
	}
	owner := func(tenant string) (id string) {
		if err := s.db.QueryRow(t.Context(), `SELECT id::text FROM users WHERE tenant_id = $1 AND 'owner' = ANY (roles)`, tenant).Scan(&id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	tokens := map[string]struct {
		token string
		want  int
	}{
		"a stranger":                {"", 401},
		"another issuer's user":     {authtest.Token(t, authtest.Config(strings.Repeat("another secret", 4)), auth.Principal{UserID: owner(quiet), TenantID: quiet}), 401},
		"an expired token":          {token(quiet, owner(quiet), -time.Hour), 401},
		"a user who does not exist": {token(quiet, uuid.NewString(), time.Hour), 403},
		"another business's owner":  {token(quiet, owner(noisy), time.Hour), 403},
		"an unknown business":       {token("nowhere", owner(quiet), time.Hour), 403},
		"an unknown device":         {auth.DeviceToken(quiet, uuid.NewString(), strings.Repeat("s", 43)), 401},
	}
	routes := 0
	for _, o := range openapitest.Read(t, "../../specs/004-order-notifications/contracts/openapi.yaml").Operations() {
		if o.Public {
			continue
		}
		routes++
		path := strings.ReplaceAll(o.Path, "{id}", uuid.NewString())
		for who, c := range tokens {
			r, err := http.NewRequestWithContext(t.Context(), o.Method, s.Origin+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.token != "" {
				r.Header.Set("Authorization", "Bearer "+c.token)
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if answer.StatusCode != c.want {
				t.Errorf("%s %s by %s: status %d, want %d", o.Method, o.Path, who, answer.StatusCode, c.want)
			}
		}
	}
	if routes < 25 {
		t.Errorf("only %d routes were tested", routes)
	}
}

// metrics writes the paths to the connection itself, because Go's client and browsers would normalize them.
func (s *stack) metrics(t *testing.T) {
	for _, path := range []string{
		"/metrics", "/metrics/", "/metrics/list", "//metrics", "/%6detrics", "/api/metrics", "/api/sse/metrics", "/api/sse/../../metrics",
		"/api/sse/%2e%2e/%2e%2e/metrics", "/api/sse/..%2f..%2fmetrics", "/api/orders/../../metrics", "/api/orders/..%2f..%2fmetrics",
		"/api/users/../../metrics", "/api/me/../../metrics", "/api/notifications/../../metrics", "/api/unsubscribe/../../metrics",
	} {
		connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.Origin, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(connection, "GET "+path+" HTTP/1.1\r\nHost: "+strings.TrimPrefix(s.Origin, "http://")+"\r\nAuthorization: Bearer "+s.tokens[quiet]+"\r\nConnection: close\r\n\r\n")
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(connection)
		if err != nil || len(answer) == 0 {
			t.Fatalf("%s is answered %q, %v", path, answer, err)
		}
		_ = connection.Close()
		if text := string(answer); strings.Contains(text, "# TYPE") || strings.Contains(text, "orderbell_") || strings.Contains(text, "go_goroutines") {
			t.Errorf("%s shows metrics: %.300s", path, text)
		}
	}
}
