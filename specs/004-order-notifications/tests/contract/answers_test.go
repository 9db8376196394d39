package contract_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/dev/programtest"
	"orderbell/internal/openapitest"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

// site is the programs that serve the HTTP API.
type site struct{ orders, users, stream *programtest.Program }

func openSite(t *testing.T) site {
	t.Helper()
	url := databasetest.URL(t)
	if err := userstore.New(databasetest.Open(t, url)).EnsureTenant(t.Context(), user.Tenant{ID: tenant, Name: "Demo"}); err != nil {
		t.Fatal(err)
	}
	stores := []string{"DATABASE_URL=" + url, "REDIS_URL=redis://" + miniredis.RunT(t).Addr()}
	return site{
		orders: start(t, build(t, "functions/order-api"), stores...),
		users: start(t, build(t, "functions/user-api"), append(stores, "PUBLIC_URL=https://orders.example",
			"UNSUBSCRIBE_SECRET="+secret+" that signs links")...),
		stream: start(t, build(t, "sse-gateway"), stores...),
	}
}

// address returns the address of the program that serves a path.
func (s site) address(path string) string {
	switch {
	case strings.HasPrefix(path, "/api/orders"):
		return s.orders.URL
	case strings.HasPrefix(path, "/api/sse/"):
		return s.stream.URL
	}
	return s.users.URL
}

// TestEachRouteRefusesBadTokensAsTheDocumentSays calls every route of the running programs.
func TestEachRouteRefusesBadTokensAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	doc, s := openapitest.Read(t, contracts+"/openapi.yaml"), openSite(t)
	signed := func(key string, p auth.Principal) string {
		p.TenantID, p.TokenID = tenant, "contract"
		return "Bearer " + authtest.Token(t, authtest.Config(key), p)
	}
	owner := []user.Role{user.Owner}
	const stranger = "01a2b3c4-0000-7000-8000-00000000dead" // a user of no business
	for _, c := range []struct {
		who, authorization string
		want               int
	}{
		{"a caller without a token", "", http.StatusUnauthorized},
		{"a malformed token", "Bearer not.a.token", http.StatusUnauthorized},
		{"another scheme", "Basic b3duZXI6b3duZXI=", http.StatusUnauthorized},
		{"a token that another signed", signed("another secret of more than 32 bytes", auth.Principal{UserID: stranger, Roles: owner}), http.StatusUnauthorized},
		{"an expired token", signed(secret, auth.Principal{UserID: stranger, Roles: owner, Expires: time.Now().Add(-time.Hour)}), http.StatusUnauthorized},
		{"a user who does not exist", signed(secret, auth.Principal{UserID: stranger, Roles: owner}), http.StatusForbidden},
	} {
		t.Run(c.who, func(t *testing.T) {
			routes := 0
			for _, o := range doc.Operations() {
				if o.Public {
					continue
				}
				routes++
				path := strings.NewReplacer("{id}", stranger).Replace(o.Path)
				status, header, body := call(t, o.Method, s.address(path)+path, c.authorization)
				if status != c.want {
					t.Errorf("%s %s: status %d, want %d: %s", o.Method, path, status, c.want, body)
				}
				doc.Check(t, o.Method, path, status, header, body)
			}
			if routes < 20 {
				t.Errorf("%d routes were called", routes)
			}
		})
	}
}

func call(t *testing.T, method, url, authorization string) (status int, header http.Header, body []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, body
}
