package provider_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"orderbell/cmd/orderbell/internal/provider"
)

func TestTheProviderRefuses(t *testing.T) {
	t.Parallel()
	h, err := provider.New(provider.Config{
		Issuer: "http://localhost:1", Page: "http://localhost:2", Audience: "orderbell",
		Users: func(context.Context) ([]provider.Business, error) { return nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(host, query string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/authorize?client_id=orderbell-page&response_type=code&scope=openid&state=s&"+query, nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	const page = "redirect_uri=http://localhost:2/signed-in"
	t.Run("a page elsewhere", func(t *testing.T) {
		t.Parallel()
		w := ask("localhost:1", "code_challenge=c&code_challenge_method=S256&redirect_uri=https://attacker.example/signed-in")
		if w.Header().Get("Location") != "" || w.Code < 400 {
			t.Errorf("got %d to %q, want an error and no redirect", w.Code, w.Header().Get("Location"))
		}
	})
	t.Run("a client without PKCE", func(t *testing.T) {
		t.Parallel()
		if w := ask("localhost:1", page); !strings.Contains(w.Header().Get("Location"), "error=invalid_request") {
			t.Errorf("got %d to %q, want error=invalid_request", w.Code, w.Header().Get("Location"))
		}
		if w := ask("localhost:1", page+"&code_challenge=c&code_challenge_method=plain"); !strings.Contains(w.Header().Get("Location"), "error=") {
			t.Errorf("a plain challenge: got %d to %q, want an error", w.Code, w.Header().Get("Location"))
		}
	})
	t.Run("a foreign name of this machine", func(t *testing.T) {
		t.Parallel()
		if w := ask("attacker.example", page); w.Code != http.StatusForbidden {
			t.Errorf("got %d, want 403", w.Code)
		}
	})
	t.Run("not the page itself", func(t *testing.T) {
		t.Parallel()
		w := ask("localhost:1", page+"&code_challenge=c&code_challenge_method=S256")
		if !strings.HasPrefix(w.Header().Get("Location"), "/choose?request=") {
			t.Errorf("got %d to %q, want the page on which a user is chosen", w.Code, w.Header().Get("Location"))
		}
	})
}
