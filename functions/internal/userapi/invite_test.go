package userapi_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"orderbell/functions/internal/userapi"
	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/problem"
	"orderbell/internal/user"
)

func TestInvitations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	response := b.do(t, b.asManager, "POST", "/api/users", `{"email":"ana@acme.example","roles":["cashier"]}`)
	invited := decode[userapi.User](t, response, http.StatusCreated)
	if invited.EmailState != user.EmailInvited || invited.InvitationExpires == nil || time.Until(*invited.InvitationExpires) > time.Hour {
		t.Fatalf("invited: %+v", invited)
	}
	again := "/api/users/" + invited.UserID + "/invitation"
	response = b.do(t, b.asManager, "POST", again, "")
	if wait, err := strconv.Atoi(response.Header.Get("Retry-After")); response.StatusCode != http.StatusTooManyRequests || err != nil || wait < 86000 || wait > 86400 {
		t.Errorf("a second mail on one day: status %d, Retry-After %d, %v", response.StatusCode, wait, err)
	}
	for what, tt := range map[string]struct {
		token, path string
		want        int
	}{
		"a user who may not":   {b.asCash, again, http.StatusForbidden},
		"another tenant's":     {b.asE, again, http.StatusNotFound},
		"a confirmed user":     {b.asManager, "/api/users/" + b.cashier.ID + "/invitation", http.StatusConflict},
		"an owner, by another": {b.asManager, "/api/users/" + b.owner.ID + "/invitation", http.StatusForbidden},
		"oneself":              {b.asCash, "/api/me/invitation", http.StatusConflict},
	} {
		if response := b.do(t, tt.token, "POST", tt.path, ""); response.StatusCode != tt.want {
			t.Errorf("%s: status %d, want %d", what, response.StatusCode, tt.want)
		}
	}
	response = b.do(t, b.asManager, "GET", "/api/users", "")
	states := map[string]user.EmailState{}
	for _, u := range decode[userapi.Page](t, response, http.StatusOK).Users {
		states[u.Email] = u.EmailState
	}
	if states["ana@acme.example"] != user.EmailInvited || states[b.cashier.Email] != user.EmailConfirmed {
		t.Errorf("the list has %v", states)
	}

	for _, tt := range []struct {
		what, verified string
		want           user.EmailState
	}{
		{"no address that the provider has verified", "", user.EmailInvited},
		{"another address", "ana@other.example", user.EmailInvited},
		{"the address, verified", "Ana@acme.example", user.EmailConfirmed},
	} {
		token := authtest.Token(t, b.tokens, auth.Principal{UserID: invited.UserID, TenantID: "acme", Roles: invited.Roles, VerifiedEmail: tt.verified})
		if me := decode[userapi.User](t, b.do(t, token, "GET", "/api/me", ""), http.StatusOK); me.EmailState != tt.want {
			t.Errorf("%s: %s, want %s", tt.what, me.EmailState, tt.want)
		}
	}

	cancelled := decode[userapi.User](t, b.do(t, b.asManager, "POST", "/api/users", `{"email":"bo@acme.example","roles":["cashier"]}`), http.StatusCreated)
	if response := b.do(t, b.asManager, "DELETE", "/api/users/"+cancelled.UserID, ""); response.StatusCode != http.StatusNoContent {
		t.Errorf("an invitation is not cancelled: status %d", response.StatusCode)
	}
	for i := range 41 { // one more than may be unconfirmed
		response = b.do(t, b.asManager, "POST", "/api/users", `{"email":"u`+strconv.Itoa(i)+`@acme.example","roles":["cashier"]}`)
	}
	if p := decode[problem.Problem](t, response, http.StatusConflict); p.Limit != string(user.MaxInvitations) {
		t.Errorf("the limit is %q", p.Limit)
	}
}
