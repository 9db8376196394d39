package deviceapi_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"orderbell/functions/internal/deviceapi"
	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/problem/problemtest"
	"orderbell/internal/user"
)

// away tells no program of a revocation.
type away struct{}

func (away) Revoke(context.Context, auth.Revocation) error { return errors.New("redis is down") }

// TestProblems has one request for each problem of the API. Those that all APIs share are in order-api's file.
func TestProblems(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var book problemtest.Book
	ids := strings.NewReplacer("{id}", uuid.NewString())
	add := func(token, request, what, body string) {
		t.Helper()
		method, path, _ := strings.Cut(request, " ")
		book.Add(t, request+": "+what, b.send(t, token, method, ids.Replace(path), body).Result())
	}
	const approve, state = "POST /api/devices", "POST /api/pairings/state"
	add("", "GET /api/pairings", "another method", "")
	add("", "GET /api/pairings/x", "an unknown path", "")
	add("", state, "no code", `{}`)
	add("", state, "an unknown code", `{"device_code":"x"}`)
	add(b.asCash, approve, "a cashier", approval("BCDF-GHJK", "Bar", "viewer"))
	add(b.asManager, approve, "no field", `{}`)
	add(b.asManager, approve, "every field is wrong", approval("", strings.Repeat("x", user.MaxName+1), "owner"))
	add(b.asManager, approve, "a name with a control character", approval("BCDF-GHJK", "a\u202eb", "viewer"))
	add(b.asManager, approve, "a code that no till shows", approval("BCDF-GHJK", "Bar", "viewer"))
	b.pair(t, "Bar", "viewer")
	p := b.begin(t)
	add(b.asManager, approve, "the name of another device", approval(p.UserCode, "Bar", "viewer"))
	for n := range most - 1 {
		b.pair(t, fmt.Sprintf("Till %d", n), "cashier")
	}
	add(b.asManager, approve, "one device more than the limit", approval(p.UserCode, "One more", "viewer"))
	add(b.asManager, "DELETE /api/devices/{id}", "an unknown device", "")
	add(b.asManager, "POST /api/devices/me/seen", "a user", "")
	device := do[deviceapi.List](t, b, b.asManager, "GET", "/api/devices", "", http.StatusOK).Devices[0]
	add(auth.DeviceToken("corner.shop", device.DeviceID, "another secret"), "POST /api/devices/me/seen", "a device's id with another secret", "")

	whole := b.devices
	b.devices, _ = deviceapi.New(slog.New(slog.DiscardHandler), authtest.Verifier(t, authtest.Config(authtest.Secret)), b.store, away{}, most)
	ids = strings.NewReplacer("{id}", device.DeviceID)
	add(b.asManager, "DELETE /api/devices/{id}", "Redis is down", "")
	b.devices = whole
	for range 9 {
		do[struct{}](t, b, b.asManager, "POST", "/api/devices", approval("BCDF-GHJK", "Bar 2", "viewer"), http.StatusNotFound)
	}
	add(b.asManager, approve, "a code after ten wrong ones", approval("BCDF-GHJK", "Bar 2", "viewer"))
	addRepeated := func(request, body string) {
		t.Helper()
		for range 1000 {
			r := httptest.NewRequestWithContext(t.Context(), "POST", request, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			if b.pairings.ServeHTTP(w, r); w.Code == http.StatusTooManyRequests {
				book.Add(t, "POST "+request+": too often", w.Result())
				return
			}
		}
		t.Errorf("POST %s is never refused for its rate", request)
	}
	addRepeated("/api/pairings/state", `{}`)
	addRepeated("/api/pairings", `{}`)
	book.Compare(t)
}
