package functions_test

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/user"
)

// TestRightsAreThoseOfNow calls every route with tokens of owners, whose users are not or no longer owners.
func TestRightsAreThoseOfNow(t *testing.T) {
	t.Parallel()
	w := setup(t)
	calls, forViewers := w.everyCall(t), map[string]bool{}
	for _, o := range w.document.Operations() {
		forViewers[o.Method+" "+o.Path] = o.EveryRole
	}
	someone := func(name string, issued time.Time) (user.User, string) {
		p, err := w.users.Add(t.Context(), user.User{TenantID: "acme", Email: name + "@acme.example", Roles: []user.Role{user.Owner}})
		if err != nil {
			t.Fatal(err)
		}
		token, err := w.tokens.Sign(auth.Principal{UserID: p.ID, TenantID: "acme", Roles: p.Roles, TokenID: name, Expires: time.Now().Add(time.Hour)}, issued)
		if err != nil {
			t.Fatal(err)
		}
		return p, token
	}
	earlier := time.Now().Add(-2 * time.Minute)
	_, good := someone("good", earlier)
	revoked, withRevoked := someone("revoked", earlier)
	_, withLost := someone("lost", earlier)
	demoted, withDemoted := someone("demoted", earlier)
	removed, withRemoved := someone("removed", earlier)
	renewed, err := w.tokens.Sign(auth.Principal{UserID: removed.ID, TenantID: "acme", Roles: removed.Roles, Expires: time.Now().Add(time.Hour)}, time.Now().Add(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	expired := authtest.Token(t, w.tokens, auth.Principal{UserID: w.owner.ID, TenantID: "acme", Roles: w.owner.Roles, Expires: earlier})
	unknown := authtest.Token(t, w.tokens, auth.Principal{UserID: "01a2b3c4-0000-7000-8000-00000000dead", TenantID: "acme", Roles: w.owner.Roles})
	service := authtest.Token(t, w.tokens, auth.Principal{UserID: "orderbell-load", TenantID: "acme", Roles: w.owner.Roles})

	lostDevice := w.pair(t, "WXZB-BCDF", "lost till")
	withLostDevice := auth.DeviceToken("acme", lostDevice, secretOf("lost till"))
	if status, body := w.askWith(t, "GET /api/orders/counts", asked{path: "/api/orders/counts"}, withLostDevice); status != http.StatusOK {
		t.Fatalf("the device is refused before it is revoked: %d %s", status, body)
	}

	list := asked{path: "/api/users"}
	for name, token := range map[string]string{"good": good, "revoked": withRevoked, "lost": withLost, "demoted": withDemoted, "removed": withRemoved} {
		if status, body := w.askWith(t, "GET /api/users", list, token); status != http.StatusOK {
			t.Fatalf("%s is refused before the changes: %d %s", name, status, body)
		}
	}
	now := time.Now()
	for _, r := range []auth.Revocation{
		{TenantID: "acme", UserID: revoked.ID, At: now, Until: now.Add(time.Hour)}, {TenantID: "acme", TokenID: "lost", At: now, Until: now.Add(time.Hour)},
	} {
		if err := w.revocations.Revoke(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if status, body := w.askWith(t, "PATCH /api/users/{id}", asked{path: "/api/users/" + demoted.ID, body: `{"roles":["viewer"]}`}, good); status != http.StatusOK {
		t.Fatalf("the demotion: %d %s", status, body)
	}
	if status, body := w.askWith(t, "DELETE /api/users/{id}", asked{path: "/api/users/" + removed.ID}, good); status != http.StatusNoContent {
		t.Fatalf("the removal: %d %s", status, body)
	}
	if status, body := w.askWith(t, "DELETE /api/devices/{id}", asked{path: "/api/devices/" + lostDevice}, good); status != http.StatusNoContent {
		t.Fatalf("the revocation of the device: %d %s", status, body)
	}
	// The row is revoked, too: the announcement is forgotten after a day, the device's token never expires.
	if role, err := w.users.DeviceRole(t.Context(), "acme", lostDevice, user.HashSecret(secretOf("lost till"))); !errors.Is(err, user.ErrNotFound) {
		t.Errorf("the revoked device has the role %q, %v", role, err)
	}
	before := w.rows(t)
	for _, v := range []struct {
		who, token string
		viewer     bool
		want       int
	}{
		{"a revoked user", withRevoked, false, 401},
		{"a revoked token", withLost, false, 401},
		{"a removed user", withRemoved, false, 401},
		{"a removed user with a token that says it was issued later, by a clock that may be ahead", renewed, false, 401},
		{"a revoked device", withLostDevice, false, 401},
		{"an expired token", expired, false, 401},
		{"a user who does not exist", unknown, false, 403},
		{"a service account that is not configured", service, false, 403},
		{"a demoted user", withDemoted, true, 403},
	} {
		for _, routed := range slices.Sorted(maps.Keys(calls)) {
			if v.viewer && forViewers[routed] {
				if routed != "PATCH /api/me/preferences" { // would change a row
					if status, body := w.askWith(t, routed, calls[routed][0], v.token); status == 401 || status == 403 {
						t.Errorf("%s may not %s as a viewer: %d %s", v.who, routed, status, body)
					}
				}
				continue
			}
			for _, a := range calls[routed] {
				if status, body := w.askWith(t, routed, a, v.token); status != v.want || strings.Contains(body, canary) {
					t.Errorf("%s, %s: status %d, want %d: %s", v.who, routed, status, v.want, body)
				}
			}
		}
		if diff := cmp.Diff(before, w.rows(t)); diff != "" {
			t.Errorf("%s has changed: %s", v.who, diff)
		}
	}
	// A demoted manager once promoted himself with his old token.
	if status, _ := w.askWith(t, "PATCH /api/users/{id}", asked{path: "/api/users/" + demoted.ID, body: `{"roles":["owner"]}`}, withDemoted); status != http.StatusForbidden {
		t.Errorf("a demoted user promotes himself: %d", status)
	}
	records, err := w.users.Records(t.Context(), "acme", time.Time{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, r := range records {
		if r.Outcome == user.Done { // what was refused is counted apart, every few seconds
			actions = append(actions, r.Action+" "+r.Target)
		}
	}
	want := []string{
		"device.revoked device:" + lostDevice, "user.removed user:" + removed.ID, "user.changed user:" + demoted.ID,
		"device.paired device:" + lostDevice, "device.paired device:" + w.deviceID,
	}
	if diff := cmp.Diff(want, actions); diff != "" {
		t.Errorf("the audit trail: %s", diff)
	}
}
