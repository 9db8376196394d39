package deviceapi_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/functions/internal/deviceapi"
	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/paths"
	"orderbell/internal/problem"
	"orderbell/internal/rights"
	"orderbell/internal/rights/rightstest"
	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

const most = 3

type bundle struct {
	devices, pairings        http.Handler
	store                    *userstore.Store
	pool                     *database.Pool
	manager                  user.User
	asManager, asCash, asEve string
}

func setup(t *testing.T) bundle {
	t.Helper()
	b := bundle{pool: databasetest.New(t)}
	b.store = userstore.New(b.pool)
	tokens := authtest.Config(authtest.Secret)
	checker, told := rightstest.New(t, rights.Config{CacheFor: time.Minute}, b.store)
	b.devices, b.pairings = deviceapi.New(slog.New(slog.NewTextHandler(t.Output(), nil)), authtest.Verifier(t, tokens).With(checker), b.store, told, most)
	addUser := func(tenant string, role user.Role) (user.User, string) {
		if err := b.store.EnsureTenant(t.Context(), user.Tenant{ID: tenant, Name: "The " + tenant, Locale: "en"}); err != nil {
			t.Fatal(err)
		}
		p, err := b.store.EnsureUser(t.Context(), user.User{TenantID: tenant, Email: string(role) + "@" + tenant + ".example", Name: "Ms " + string(role), Roles: []user.Role{role}})
		if err != nil {
			t.Fatal(err)
		}
		return p, authtest.Token(t, tokens, auth.Principal{UserID: p.ID, TenantID: tenant, Roles: p.Roles})
	}
	b.manager, b.asManager = addUser("corner.shop", user.Manager)
	_, b.asCash = addUser("corner.shop", user.Cashier)
	_, b.asEve = addUser("other", user.Owner)
	return b
}

// send sends a request to the API with its path.
func (b bundle) send(t *testing.T, token, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	if strings.HasPrefix(path, paths.Pairings) {
		b.pairings.ServeHTTP(w, r)
	} else {
		b.devices.ServeHTTP(w, r)
	}
	return w
}

// do sends a request and decodes the answer of the wanted status.
func do[T any](t *testing.T, b bundle, token, method, path, body string, status int) (v T) {
	t.Helper()
	w := b.send(t, token, method, path, body)
	if w.Code != status {
		t.Fatalf("%s %s: %d %s, want %d", method, path, w.Code, w.Body, status)
	}
	if w.Body.Len() == 0 {
		return v
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
	}
	return v
}

func (b bundle) begin(t *testing.T) deviceapi.NewPairing {
	t.Helper()
	return do[deviceapi.NewPairing](t, b, "", "POST", "/api/pairings", "", 201)
}

func (b bundle) ask(t *testing.T, p deviceapi.NewPairing) deviceapi.State {
	t.Helper()
	return do[deviceapi.State](t, b, "", "POST", "/api/pairings/state", fmt.Sprintf(`{"device_code":%q}`, p.DeviceCode), 200)
}

func approval(code, name, role string) string {
	return fmt.Sprintf(`{"user_code":%q,"name":%q,"role":%q}`, code, name, role)
}

// pair pairs a till.
func (b bundle) pair(t *testing.T, name, role string) {
	t.Helper()
	p := b.begin(t)
	do[deviceapi.Device](t, b, b.asManager, "POST", "/api/devices", approval(p.UserCode, name, role), 201)
	if state := b.ask(t, p); state.Token == "" {
		t.Fatalf("after the approval: %+v", state)
	}
}

func TestATillIsPairedUsedAndRevoked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.begin(t)
	if got := b.ask(t, p); got.State != "pending" || got.Token != "" {
		t.Errorf("before the approval: %+v", got)
	}
	typed := strings.ToLower(strings.ReplaceAll(p.UserCode, "-", " ")) // as a manager may type it
	made := do[deviceapi.Device](t, b, b.asManager, "POST", "/api/devices", approval(typed, "Bar", "kitchen"), 201)
	if made.Name != "Bar" || made.Role != user.Kitchen || made.PairedBy != "Ms manager" || made.Connected || made.LastSeenAt != nil {
		t.Errorf("the device is %+v", made)
	}
	first := b.ask(t, p)
	if again := b.ask(t, p); first.State != "approved" || first.Token == "" || again.Token != first.Token || first.TenantName != "The corner.shop" {
		t.Errorf("after the approval: %+v, and if that answer is lost %+v", first, again)
	}
	do[problem.Problem](t, b, b.asManager, "POST", "/api/devices", approval(p.UserCode, "Bar 2", "kitchen"), 404) // a code is valid once

	seen := do[deviceapi.Device](t, b, first.Token, "POST", "/api/devices/me/seen", "", 200)
	if !seen.Connected || seen.ConnectedSince == nil || seen.LastSeenAt == nil {
		t.Errorf("a device that is open is %+v", seen)
	}
	since := *seen.ConnectedSince
	if seen = do[deviceapi.Device](t, b, first.Token, "POST", "/api/devices/me/seen", "", 200); !seen.ConnectedSince.Equal(since) {
		t.Errorf("a minute later it is connected since %s, want %s", seen.ConnectedSince, since)
	}
	listed := do[deviceapi.List](t, b, b.asManager, "GET", "/api/devices", "", 200)
	if diff := cmp.Diff([]deviceapi.Device{seen}, listed.Devices); diff != "" {
		t.Error(diff)
	}
	if _, err := b.pool.Exec(t.Context(), "UPDATE devices SET last_seen_at = last_seen_at - interval '1 hour'"); err != nil {
		t.Fatal(err)
	}
	if away := do[deviceapi.List](t, b, b.asManager, "GET", "/api/devices", "", 200).Devices[0]; away.Connected || away.ConnectedSince != nil || away.LastSeenAt == nil {
		t.Errorf("a device that was switched off is %+v", away)
	}
	if back := do[deviceapi.Device](t, b, first.Token, "POST", "/api/devices/me/seen", "", 200); !back.ConnectedSince.After(since) {
		t.Errorf("a device that comes back is connected since %s, want now", back.ConnectedSince)
	}

	for _, token := range []string{b.asCash, first.Token} { // neither a cashier nor a device leads
		do[problem.Problem](t, b, token, "GET", "/api/devices", "", 403)
		do[problem.Problem](t, b, token, "POST", "/api/devices", approval("BCDF-GHJK", "x", "viewer"), 403)
		do[problem.Problem](t, b, token, "DELETE", "/api/devices/"+made.DeviceID, "", 403)
	}
	if others := do[deviceapi.List](t, b, b.asEve, "GET", "/api/devices", "", 200); len(others.Devices) != 0 {
		t.Errorf("another business sees %+v", others)
	}
	do[problem.Problem](t, b, b.asEve, "DELETE", "/api/devices/"+made.DeviceID, "", 404)
	do[problem.Problem](t, b, b.asManager, "POST", "/api/devices/me/seen", "", 404) // a user is no device
	forged := auth.DeviceToken("other", made.DeviceID, first.Token[len(first.Token)-43:])
	do[problem.Problem](t, b, forged, "POST", "/api/devices/me/seen", "", 401)
	guess := first.Token[:len(first.Token)-1] + "x"
	if guess != first.Token {
		do[problem.Problem](t, b, guess, "POST", "/api/devices/me/seen", "", 401)
	}

	do[struct{}](t, b, b.asManager, "DELETE", "/api/devices/"+made.DeviceID, "", 204)
	do[problem.Problem](t, b, first.Token, "POST", "/api/devices/me/seen", "", 401)
	do[problem.Problem](t, b, b.asManager, "DELETE", "/api/devices/"+made.DeviceID, "", 404)
	do[problem.Problem](t, b, "", "POST", "/api/pairings/state", fmt.Sprintf(`{"device_code":%q}`, p.DeviceCode), 404)
	b.pair(t, "Bar", "viewer") // the name is free again

	records, err := b.store.Records(t.Context(), "corner.shop", time.Now().Add(-time.Hour), 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range records {
		got = append(got, fmt.Sprintf("%s %s %s", r.Action, r.Outcome, r.Detail))
		if r.Actor != "user:"+b.manager.ID {
			t.Errorf("%s by %s", r.Action, r.Actor)
		}
	}
	want := []string{
		"device.paired done name Bar, role viewer", "device.revoked done name Bar", "device.paired refused no till shows the code",
		"device.paired done name Bar, role kitchen",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPairingIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, wrong := range []string{
		approval("BCDF-GHJK", "Bar", "owner"), approval("BCDF-GHJK", "Bar", "manager"), approval("BCDF-GHJK", " ", "viewer"),
		approval("BCDF-GHJK", "a\u202eb", "viewer"), `{"name":"Bar","role":"viewer"}`, `{"user_code":"BCDF-GHJK"}`,
	} {
		do[problem.Problem](t, b, b.asManager, "POST", "/api/devices", wrong, 422)
	}
	b.pair(t, "Bar", "viewer")
	p := b.begin(t)
	do[problem.Problem](t, b, b.asManager, "POST", "/api/devices", approval(p.UserCode, "BAR", "viewer"), 409)
	for _, name := range []string{"Counter", "Kitchen"} {
		b.pair(t, name, "cashier")
	}
	if full := do[problem.Problem](t, b, b.asManager, "POST", "/api/devices", approval(p.UserCode, "One more", "viewer"), 409); !strings.Contains(full.Detail, "the limit max_devices of 3 is reached") {
		t.Errorf("the limit is %+v", full)
	}

	if _, err := b.pool.Exec(t.Context(), "UPDATE device_pairings SET expires_at = now() WHERE user_code = $1", p.UserCode); err != nil {
		t.Fatal(err)
	}
	do[problem.Problem](t, b, b.asEve, "POST", "/api/devices", approval(p.UserCode, "Late", "viewer"), 404)
	do[problem.Problem](t, b, "", "POST", "/api/pairings/state", fmt.Sprintf(`{"device_code":%q}`, p.DeviceCode), 404)

	good := b.begin(t)
	for i := range 10 { // the manager's guesses; one of them would have to hit
		do[problem.Problem](t, b, b.asManager, "POST", "/api/devices", approval(fmt.Sprintf("BCDF-GHJ%c", "BCDFGHJKLM"[i]), "Guess", "viewer"), 404)
	}
	do[problem.Problem](t, b, b.asManager, "POST", "/api/devices", approval(good.UserCode, "Guess", "viewer"), 429)
	do[deviceapi.Device](t, b, b.asEve, "POST", "/api/devices", approval(good.UserCode, "Theirs", "viewer"), 201) // another business may

	refused := false
	for begun := 0; begun < 30 && !refused; begun++ { // more than an address may begin, and than come back meanwhile
		w := httptest.NewRecorder()
		b.pairings.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/pairings", nil))
		refused = w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") != ""
	}
	if !refused {
		t.Error("an address begins pairings without end")
	}
	refused = false
	for begun := 0; begun < 30 && !refused; begun++ { // each from another address of one IPv6 network, which one client has
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/pairings", nil)
		r.RemoteAddr = fmt.Sprintf("[2001:db8:0:1::%x]:4711", begun+1)
		b.pairings.ServeHTTP(w, r)
		refused = w.Code == http.StatusTooManyRequests
	}
	if !refused {
		t.Error("a client with many addresses begins pairings without end")
	}
	do[problem.Problem](t, b, "", "GET", "/api/pairings", "", 405)
}
