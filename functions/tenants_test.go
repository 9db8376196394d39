// Package functions_test checks what both HTTP APIs have in common. It calls every route as a user of another business, and
// checks that it shows and changes nothing of the first one.
package functions_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/functions/internal/deviceapi"
	"orderbell/functions/internal/inboxapi"
	"orderbell/functions/internal/orderapi"
	"orderbell/functions/internal/route"
	"orderbell/functions/internal/userapi"
	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/feed/message"
	"orderbell/internal/openapitest"
	"orderbell/internal/order"
	"orderbell/internal/rights"
	"orderbell/internal/rights/rightstest"
	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/inboxstore"
	"orderbell/internal/store/orderstore"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

// canary is in every text of the first business, and in no other.
const canary = "canary"

// world is two businesses. The first has a user, an order, a kept answer and a notification; the other has an owner.
type world struct {
	pool                    *database.Pool
	apis                    []route.API
	log                     *slog.Logger
	verifier                *auth.Verifier
	tokens                  auth.Config
	owner, other            user.User
	revocations             *rightstest.Revocations
	users                   *userstore.Store
	orderID, notificationID string
	deviceID                string
	document                *openapitest.Document
}

func setup(t *testing.T) world {
	t.Helper()
	w := world{pool: databasetest.New(t), notificationID: "01a2b3c4-0000-8000-8000-000000000001", tokens: authtest.Config(authtest.Secret)}
	w.document = openapitest.Read(t, openAPIFile)
	w.tokens.Leeway = time.Minute // a token that is issued after a removal is made in advance
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	users, orders := userstore.New(w.pool), orderstore.New(w.pool)
	checker, revocations := rightstest.New(t, rights.Config{CacheFor: time.Minute}, users)
	w.users, w.revocations = users, revocations
	verifier := authtest.Verifier(t, w.tokens).With(checker)
	w.log, w.verifier = log, verifier
	w.apis = []route.API{
		orderapi.New(log, verifier, orders), userapi.New(log, verifier, users, revocations, user.InvitationTerms{
			Limits: user.DefaultLimits{MaxUsers: 50, MaxInvitations: 40}, Life: time.Hour, MailDomain: "orders.example",
		}),
		inboxapi.New(log, verifier, inboxstore.New(w.pool), nowhere{}),
	}
	devices, _ := deviceapi.New(log, verifier, users, revocations, 10)
	w.apis = append(w.apis, devices)
	addUser := func(tenant, name string) user.User {
		if err := users.EnsureTenant(t.Context(), user.Tenant{ID: tenant, Name: name, Locale: "en"}); err != nil {
			t.Fatal(err)
		}
		p, err := users.Add(t.Context(), user.User{
			TenantID: tenant, Email: tenant + "@owners.example", Name: name, Roles: []user.Role{user.Owner}, EmailEnabled: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	w.owner, w.other = addUser("acme", canary), addUser("other", "other")
	made, err := orders.Create(t.Context(), order.Order{Reference: canary, TotalAmount: 5, Currency: "EUR"}, order.Request{TenantID: "acme", Key: "key"})
	if err != nil {
		t.Fatal(err)
	}
	w.orderID = made.Order.ID
	_, err = w.pool.Exec(t.Context(), `INSERT INTO notifications (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data)
		VALUES ($1, 'acme', $2, '/', gen_random_uuid(), 'order_paid', $3::uuid, jsonb_build_object('order_id', $3::uuid, 'tenant_id', 'acme', 'status', 'paid',
			'reference', 'canary', 'total_amount', 5, 'currency', 'EUR', 'version', 2, 'timestamp', '2026-11-24T10:00:00Z'))`,
		w.notificationID, w.owner.ID, w.orderID)
	if err != nil {
		t.Fatal(err)
	}
	w.deviceID = w.pair(t, "WXZB-GHJK", canary)
	return w
}

// secretOf returns the secret of the device that pair has paired.
func secretOf(name string) string { return (name + strings.Repeat("x", 43))[:43] }

// pair pairs a device of the first business.
func (w world) pair(t *testing.T, code, name string) (id string) {
	t.Helper()
	err := w.users.BeginPairing(t.Context(), code, user.HashSecret(secretOf(name)))
	if err == nil {
		var d user.Device
		d, err = w.users.Pair(t.Context(), user.Device{TenantID: "acme", Name: name, Role: user.Kitchen}, code, 10, user.Act{Actor: "user:" + w.owner.ID}, w.owner.ID)
		id = d.ID
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// nowhere drops messages.
type nowhere struct{}

func (nowhere) Publish(context.Context, string, message.Message) error { return nil }

// asked is one call of a route, with ids of the first business in it.
type asked struct {
	path, body string
	want       int
}

// calls returns, for every route, the calls with which a user of the other business tries to reach the first one.
func (w world) calls() map[string][]asked {
	user, one, notification := "/api/users/"+w.owner.ID, "/api/orders/"+w.orderID, "/api/notifications/"+w.notificationID
	return map[string][]asked{
		"POST /api/orders":                  {{"/api/orders", `{"total_amount":1,"currency":"EUR"}`, 201}, {"/api/orders", `{"total_amount":1,"currency":"EUR"}`, 201}}, // the second is answered as the first was
		"GET /api/orders/snapshot":          {{"/api/orders/snapshot", "", 200}, {"/api/orders/snapshot?cursor=" + cursorAt(w.orderID), "", 200}, {"/api/orders/snapshot?state=current", "", 200}, {"/api/orders/snapshot?q=" + canary, "", 200}, {"/api/orders/snapshot?q=" + w.orderID, "", 200}},
		"GET /api/orders/counts":            {{"/api/orders/counts", "", 200}},
		"GET /api/orders/{id}":              {{one, "", 404}},
		"GET /api/orders/{id}/history":      {{one + "/history", "", 404}},
		"GET /api/orders/summary":           {{"/api/orders/summary", "", 200}},
		"POST /api/notifications/read":      {{"/api/notifications/read", `{"notification_ids":["` + w.notificationID + `"]}`, 200}},
		"POST /api/orders/{id}/pay":         {{one + "/pay", "", 404}},
		"POST /api/orders/{id}/status":      {{one + "/status", `{"status":"cancelled"}`, 404}},
		"POST /api/orders/{id}/undo":        {{one + "/undo", `{"version":1}`, 404}},
		"GET /api/users":                    {{"/api/users", "", 200}, {"/api/users?cursor=" + cursorAt(w.owner.ID), "", 200}},
		"POST /api/users":                   {{"/api/users", `{"email":"` + w.owner.Email + `","roles":["owner"]}`, 201}},
		"GET /api/users/{id}":               {{user, "", 404}},
		"PATCH /api/users/{id}":             {{user, `{"name":"taken over","roles":["viewer"]}`, 404}},
		"GET /api/tenant":                   {{"/api/tenant", "", 200}},
		"PATCH /api/tenant":                 {{"/api/tenant", `{"currency":"JPY"}`, 200}},
		"DELETE /api/users/{id}":            {{user, "", 404}},
		"POST /api/users/{id}/invitation":   {{user + "/invitation", "", 404}},
		"POST /api/me/invitation":           {{"/api/me/invitation", "", 409}},
		"GET /api/me":                       {{"/api/me", "", 200}},
		"PATCH /api/me/preferences":         {{"/api/me/preferences", `{"notification_email_enabled":false}`, 200}},
		"GET /api/notifications":            {{"/api/notifications", "", 200}},
		"POST /api/notifications/{id}/read": {{notification + "/read", "", 404}},
		"POST /api/notifications/read-all":  {{"/api/notifications/read-all", "", 200}},
		"GET /api/devices":                  {{"/api/devices", "", 200}},
		"POST /api/devices":                 {{"/api/devices", `{"user_code":"XXXX-XXXX","name":"theirs","role":"viewer"}`, 404}},
		"DELETE /api/devices/{id}":          {{"/api/devices/" + w.deviceID, "", 404}},
		"POST /api/devices/me/seen":         {{"/api/devices/me/seen", "", 404}},
	}
}

// everyCall returns the calls of every route that needs a token. The gateway has its own walk of the streams' routes.
func (w world) everyCall(t *testing.T) map[string][]asked {
	t.Helper()
	calls := w.calls()
	for _, o := range w.document.Operations() {
		if routed := o.Method + " " + o.Path; len(calls[routed]) == 0 && !o.Public && !strings.HasPrefix(o.Path, streamPaths) {
			t.Errorf("no call of %s", routed)
		}
	}
	return calls
}

// cursorAt returns a cursor at an entry, as a client of its business could get it.
func cursorAt(id string) string {
	return route.Position{At: time.Now().Add(time.Hour), ID: id}.Cursor()
}

// rows returns all rows of the first business, by table.
func (w world) rows(t *testing.T) map[string]string {
	t.Helper()
	const tables = `SELECT table_name FROM information_schema.columns
		WHERE table_schema = 'public' AND column_name = 'tenant_id' AND table_name NOT LIKE 'event_records_%'`
	var names []string
	if err := w.pool.QueryRow(t.Context(), "SELECT ARRAY("+tables+")").Scan(&names); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, name := range names {
		var text string
		query := "SELECT coalesce(string_agg(t::text, E'\n' ORDER BY t::text), '') FROM " + name + " t WHERE tenant_id = 'acme'"
		if err := w.pool.QueryRow(t.Context(), query).Scan(&text); err != nil {
			t.Fatal(err)
		}
		all[name] = text
	}
	var settings string
	if err := w.pool.QueryRow(t.Context(), "SELECT t::text FROM tenants t WHERE id = 'acme'").Scan(&settings); err != nil {
		t.Fatal(err)
	}
	all["tenants"] = settings
	return all
}

func (w world) ask(t *testing.T, routed string, a asked, who user.User) (status int, body string) {
	t.Helper()
	return w.askWith(t, routed, a, authtest.Token(t, w.tokens, auth.Principal{UserID: who.ID, TenantID: who.TenantID, Roles: who.Roles}))
}

func (w world) askWith(t *testing.T, routed string, a asked, token string) (status int, body string) {
	t.Helper()
	method, _, _ := strings.Cut(routed, " ")
	r := httptest.NewRequestWithContext(t.Context(), method, a.path, strings.NewReader(a.body))
	r.Header.Set("Authorization", "Bearer "+token)
	if routed == "POST /api/orders" {
		r.Header.Set("Idempotency-Key", "key") // the first business has used it
	}
	if a.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, api := range w.apis {
		if !slices.Contains(api.Routes(), routed) {
			continue
		}
		answer := httptest.NewRecorder()
		api.ServeHTTP(answer, r)
		all, err := io.ReadAll(answer.Result().Body)
		if err != nil {
			t.Fatal(err)
		}
		w.document.Check(t, method, r.URL.Path, answer.Code, answer.Header(), all)
		headers, err := json.Marshal(answer.Header())
		if err != nil {
			t.Fatal(err)
		}
		return answer.Code, string(headers) + string(all)
	}
	t.Fatalf("nothing serves %s", routed)
	return 0, ""
}

func TestNothingOfAnotherBusinessShowsOrChanges(t *testing.T) {
	t.Parallel()
	t.Run("with row-level security", func(t *testing.T) {
		t.Parallel()
		nothingShowsOrChanges(t, setup(t))
	})
	// Either of the two is enough, so that a fault of one shows nothing. The policies alone are tested in internal/store/database.
	t.Run("by the statements' own conditions", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		const off = `DO $$ DECLARE one regclass; BEGIN
			FOR one IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity LOOP
				EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', one);
			END LOOP; END $$`
		if _, err := w.pool.Exec(t.Context(), off); err != nil {
			t.Fatal(err)
		}
		nothingShowsOrChanges(t, w)
	})
}

func nothingShowsOrChanges(t *testing.T, w world) {
	t.Helper()
	calls := w.everyCall(t)
	before := w.rows(t)
	for _, table := range []string{"users", "orders", "idempotency_keys", "notifications", "devices"} {
		if before[table] == "" {
			t.Fatalf("the first business has nothing in %s that could show", table)
		}
	}
	theirs := w.other
	theirs.ID = w.owner.ID
	unknown := theirs
	unknown.TenantID = "nowhere"
	visitors := []struct { // in this order: what the first one makes is there for the second
		who    string
		caller user.User
	}{
		{"the other business's owner", w.other}, {"their token with this business's user", theirs}, {"a business that does not exist", unknown},
	}
	for _, v := range visitors {
		for _, routed := range slices.Sorted(maps.Keys(calls)) {
			for _, a := range calls[routed] {
				status, body := w.ask(t, routed, a, v.caller)
				if v.caller.ID == w.other.ID && status != a.want || status >= http.StatusInternalServerError {
					t.Errorf("%s, %s: status %d, want %d: %s", v.who, routed, status, a.want, body)
				}
				if strings.Contains(body, canary) {
					t.Errorf("%s sees by %s: %s", v.who, routed, body)
				}
			}
		}
		if diff := cmp.Diff(before, w.rows(t)); diff != "" {
			t.Errorf("%s has changed: %s", v.who, diff)
		}
	}
	// The same calls by the business itself show and change it, so the calls are not refused for another reason.
	for _, routed := range []string{"GET /api/orders/snapshot", "GET /api/orders/{id}", "GET /api/users", "GET /api/users/{id}", "GET /api/me", "GET /api/tenant", "GET /api/notifications", "GET /api/devices"} {
		if _, body := w.ask(t, routed, calls[routed][0], w.owner); !strings.Contains(body, canary) {
			t.Errorf("its own owner does not see it by %s: %s", routed, body)
		}
	}
	for _, routed := range []string{"POST /api/orders/{id}/status", "POST /api/notifications/{id}/read", "PATCH /api/me/preferences", "PATCH /api/tenant"} {
		was := w.rows(t)
		if status, body := w.ask(t, routed, calls[routed][0], w.owner); status != http.StatusOK || cmp.Equal(was, w.rows(t)) {
			t.Errorf("its own owner changes nothing by %s: %d %s", routed, status, body)
		}
	}
}
