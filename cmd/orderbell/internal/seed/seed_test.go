package seed_test

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/cmd/orderbell/internal/seed"
	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

func TestSeedsTwiceAreSeedsOnce(t *testing.T) {
	t.Parallel()
	store := userstore.New(databasetest.New(t))
	first, err := seed.Apply(t.Context(), store, seed.Demo())
	if err != nil {
		t.Fatal(err)
	}
	second, err := seed.Apply(t.Context(), store, seed.Demo())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the second time differs:\n%s", diff)
	}
	for _, b := range second {
		users, _, err := store.Users(t.Context(), b.Tenant.ID, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(users) != len(user.Roles()) {
			t.Errorf("tenant %s has %d users, want one of each of %v", b.Tenant.ID, len(users), user.Roles())
		}
	}
}

func TestUsersOfALoadGetNoMail(t *testing.T) {
	t.Parallel()
	businesses := seed.Load(2)
	if len(businesses) != 2 || businesses[0].Tenant.ID == businesses[1].Tenant.ID {
		t.Errorf("%+v, want two tenants", businesses)
	}
	for _, b := range businesses {
		if len(b.Users) != len(user.Roles()) {
			t.Errorf("tenant %s has %d users, want one of each of %v", b.Tenant.ID, len(b.Users), user.Roles())
		}
		for _, u := range b.Users {
			if u.EmailEnabled || !u.InAppEnabled {
				t.Errorf("%s: mail %t, inbox %t, want the inbox alone", u.Email, u.EmailEnabled, u.InAppEnabled)
			}
		}
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	businesses, err := seed.Apply(t.Context(), userstore.New(databasetest.New(t)), seed.Demo())
	if err != nil {
		t.Fatal(err)
	}
	cfg := authtest.Config(authtest.Secret)
	h := seed.NewUsersHandler(businesses, seed.Tokens{Auth: cfg, TTL: time.Hour}, log.New(io.Discard, "", 0))
	ask := func(host string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/dev/users", nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	t.Run("every token is valid for its user", func(t *testing.T) {
		t.Parallel()
		verifier := authtest.Verifier(t, cfg)
		var users []struct {
			UserID   string      `json:"user_id"`
			TenantID string      `json:"tenant_id"`
			Email    string      `json:"email"`
			Roles    []user.Role `json:"roles"`
			Token    string      `json:"token"`
			Currency string      `json:"currency"`
		}
		if err := json.Unmarshal(ask("localhost:8080").Body.Bytes(), &users); err != nil {
			t.Fatal(err)
		}
		if len(users) != 2*len(user.Roles()) {
			t.Fatalf("%d users, want one of each role in two tenants", len(users))
		}
		for _, u := range users {
			p, err := verifier.Verify(u.Token)
			if err != nil {
				t.Errorf("%s: %v", u.Email, err)
				continue
			}
			want := auth.Principal{
				UserID: u.UserID, TenantID: u.TenantID, Roles: u.Roles, Expires: p.Expires, Issued: p.Issued, TokenID: p.TokenID,
			}
			if diff := cmp.Diff(want, p); diff != "" {
				t.Errorf("%s: %s", u.Email, diff)
			}
			if u.Currency == "" {
				t.Errorf("%s has no currency", u.Email)
			}
		}
	})
	t.Run("a request with a foreign host name is refused", func(t *testing.T) {
		t.Parallel()
		if w := ask("attacker.example"); w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "token\"") {
			t.Errorf("GET at attacker.example: %d %s, want 403", w.Code, w.Body)
		}
		for _, host := range []string{"127.0.0.1:8080", "[::1]:8080", "localhost"} {
			if w := ask(host); w.Code != http.StatusOK {
				t.Errorf("GET at %s: %d, want 200", host, w.Code)
			}
		}
	})
}
