package orderapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"orderbell/functions/internal/orderapi"
	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/order"
	"orderbell/internal/problem"
	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/orderstore"
	"orderbell/internal/tracing"
	"orderbell/internal/user"
)

type bundle struct {
	handler http.Handler
	tokens  auth.Config
	pool    *database.Pool
}

func setup(t *testing.T) bundle {
	t.Helper()
	pool := databasetest.New(t)
	if _, err := pool.Exec(t.Context(), "INSERT INTO tenants (id, name) VALUES ('acme', 'Acme'), ('other', 'Other')"); err != nil {
		t.Fatal(err)
	}
	return serve(t, orderstore.New(pool), pool)
}

func serve(t *testing.T, store orderapi.Store, pool *database.Pool) bundle {
	t.Helper()
	tokens := authtest.Config(authtest.Secret)
	verifier := authtest.Verifier(t, tokens)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	return bundle{handler: orderapi.New(log, verifier, store), tokens: tokens, pool: pool}
}

func (b bundle) token(t *testing.T, tenant string, roles ...user.Role) string {
	t.Helper()
	return authtest.Token(t, b.tokens, auth.Principal{UserID: "somebody", TenantID: tenant, Roles: roles})
}

// call is one request; header holds pairs of names and values.
type call struct {
	method, path, body string
	header             []string
}

func (b bundle) do(t *testing.T, c call) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body))
	r.Header.Set("Authorization", "Bearer "+b.token(t, "acme", user.Cashier))
	if c.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(c.header); i += 2 {
		if c.header[i+1] == "" {
			r.Header.Del(c.header[i])
		} else {
			r.Header.Set(c.header[i], c.header[i+1])
		}
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r.WithContext(tracing.With(r.Context(), tracing.Header(r.Header)))) // as package service does
	return w.Result()
}

// decode checks the status of an answer and reads its body strictly.
func decode[T any](t *testing.T, res *http.Response, status int) T {
	t.Helper()
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != status {
		t.Fatalf("status is %d, want %d: %s", res.StatusCode, status, body)
	}
	var v T
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

func isProblem(t *testing.T, res *http.Response, status int, detail string) problem.Problem {
	t.Helper()
	p := decode[problem.Problem](t, res, status)
	if got := res.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type is %s", got)
	}
	if p.Status != status || p.Title != http.StatusText(status) || !strings.Contains(p.Detail, detail) {
		t.Errorf("problem is %+v, want %d …%s…", p, status, detail)
	}
	return p
}

const lunch = `{"reference":"A-1042","total_amount":125000,"currency":"IDR"}`

func (b bundle) create(t *testing.T) orderapi.Order {
	t.Helper()
	made := decode[orderapi.Order](t, b.do(t, call{method: "POST", path: "/api/orders", body: lunch}), http.StatusCreated)
	made.DuplicateOf = "" // of the answer to the creation alone
	return made
}

func TestASecondOrderOfAReferenceIsHintedAt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := decode[orderapi.Order](t, b.do(t, call{method: "POST", path: "/api/orders", body: lunch}), http.StatusCreated)
	second := decode[orderapi.Order](t, b.do(t, call{method: "POST", path: "/api/orders", body: lunch}), http.StatusCreated)
	if first.DuplicateOf != "" || second.DuplicateOf != first.OrderID {
		t.Errorf("the first is a duplicate of %q, the second of %q", first.DuplicateOf, second.DuplicateOf)
	}
}

func TestUndo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	kitchen := []string{"Authorization", "Bearer " + b.token(t, "acme", user.Kitchen), "Idempotency-Key", "undo"}
	path := "/api/orders/" + b.create(t).OrderID
	b.do(t, call{method: "POST", path: path + "/pay"})
	ready := decode[orderapi.Order](t, b.do(t, call{method: "POST", path: path + "/status", body: `{"status":"ready"}`}), http.StatusOK)
	for i, replayed := range []string{"", "true"} {
		res := b.do(t, call{"POST", path + "/undo", `{"version":3}`, kitchen})
		got := decode[orderapi.Order](t, res, http.StatusOK)
		want := ready
		want.Status, want.Version, want.UpdatedAt, want.UndoUntil = order.Paid, 4, got.UpdatedAt, time.Time{}
		if diff := cmp.Diff(want, got); diff != "" || res.Header.Get("ETag") != `"4"` || res.Header.Get("Idempotency-Replayed") != replayed {
			t.Errorf("try %d: headers %v: %s", i, res.Header, diff)
		}
	}
	isProblem(t, b.do(t, call{method: "POST", path: path + "/undo", body: `{"version":4}`}), http.StatusConflict, "cannot be undone")
	other := "/api/orders/" + b.create(t).OrderID
	b.do(t, call{method: "POST", path: other + "/status", body: `{"status":"cancelled"}`})
	isProblem(t, b.do(t, call{"POST", other + "/undo", `{"version":2}`, kitchen[:2]}), http.StatusConflict, "your roles may not undo a change to cancelled")
	if got := decode[orderapi.Order](t, b.do(t, call{method: "POST", path: other + "/undo", body: `{"version":2}`}), http.StatusOK); got.Status != order.Submitted {
		t.Errorf("an undone cancellation is %s", got.Status)
	}
	for body, detail := range map[string]string{`{}`: "version is missing", `{"version":0}`: "version must be an integer from 1 to 2147483647", `{"version":"2"}`: "version"} {
		isProblem(t, b.do(t, call{method: "POST", path: path + "/undo", body: body}), http.StatusUnprocessableEntity, detail)
	}
	viewer := []string{"Authorization", "Bearer " + b.token(t, "acme", user.Viewer)}
	isProblem(t, b.do(t, call{"POST", path + "/undo", `{"version":4}`, viewer}), http.StatusForbidden, "roles")
}

func TestAnOrdersLife(t *testing.T) {
	t.Parallel()
	b := setup(t)
	res := b.do(t, call{method: "POST", path: "/api/orders", body: lunch})
	made := decode[orderapi.Order](t, res, http.StatusCreated)
	want := orderapi.Order{
		OrderID: made.OrderID, TenantID: "acme", Reference: "A-1042", Status: order.Submitted, TotalAmount: 125_000, Currency: "IDR",
		Version: 1, CreatedAt: made.CreatedAt, UpdatedAt: made.CreatedAt,
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Error(diff)
	}
	path := "/api/orders/" + made.OrderID
	if diff := cmp.Diff([]string{path, `"1"`, "no-store", "application/json"}, []string{
		res.Header.Get("Location"), res.Header.Get("ETag"), res.Header.Get("Cache-Control"), res.Header.Get("Content-Type"),
	}); diff != "" {
		t.Error(diff)
	}
	for i, step := range []struct {
		call   call
		status order.Status
	}{
		{call{method: "POST", path: path + "/pay"}, order.Paid},
		{call{method: "POST", path: path + "/status", body: `{"status":"ready"}`}, order.Ready},
		{call{method: "POST", path: path + "/status", body: `{"status":"completed"}`}, order.Completed},
	} {
		res := b.do(t, step.call)
		got := decode[orderapi.Order](t, res, http.StatusOK)
		want.Status, want.Version, want.UpdatedAt = step.status, int64(i+2), got.UpdatedAt
		if step.status != order.Paid {
			want.UndoUntil = got.UpdatedAt.Add(order.UndoFor)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if tag := fmt.Sprintf(`"%d"`, i+2); res.Header.Get("ETag") != tag {
			t.Errorf("ETag is %s, want %s", res.Header.Get("ETag"), tag)
		}
		read := decode[orderapi.Order](t, b.do(t, call{method: "GET", path: path}), http.StatusOK)
		if diff := cmp.Diff(want, read); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAnOrderWithoutACurrencyIsInTheTenants(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.pool.Exec(t.Context(), "UPDATE tenants SET currency = CASE id WHEN 'acme' THEN 'IDR' ELSE 'JPY' END"); err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{`{"total_amount":1}`: "IDR", `{"total_amount":1,"currency":"EUR"}`: "EUR"} {
		made := decode[orderapi.Order](t, b.do(t, call{method: "POST", path: "/api/orders", body: body}), http.StatusCreated)
		if made.Currency != want {
			t.Errorf("%s makes an order in %s, want %s", body, made.Currency, want)
		}
	}
	nobody := []string{"Authorization", "Bearer " + b.token(t, "nobody", user.Owner)}
	isProblem(t, b.do(t, call{"POST", "/api/orders", `{"total_amount":1}`, nobody}), http.StatusForbidden, "tenant does not exist")
}

func TestPayTakesAnEmptyObject(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := "/api/orders/" + b.create(t).OrderID + "/pay"
	if got := decode[orderapi.Order](t, b.do(t, call{method: "POST", path: path, body: "{}"}), http.StatusOK); got.Status != order.Paid {
		t.Errorf("status is %s", got.Status)
	}
	p := isProblem(t, b.do(t, call{method: "POST", path: path, body: `{"amount":1}`}), http.StatusUnprocessableEntity, "amount")
	if diff := cmp.Diff([]problem.FieldError{{Field: "amount", Detail: "is not a field of this request"}}, p.Errors); diff != "" {
		t.Error(diff)
	}
}

func TestARetryGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := "/api/orders/" + b.create(t).OrderID
	for _, c := range []call{
		{method: "POST", path: "/api/orders", body: lunch, header: []string{"Idempotency-Key", "create"}},
		{method: "POST", path: path + "/pay", header: []string{"Idempotency-Key", "pay"}},
		{method: "POST", path: path + "/status", body: `{"status":"ready"}`, header: []string{"Idempotency-Key", "ready"}},
	} {
		first, again := b.do(t, c), b.do(t, c)
		want, got := decode[orderapi.Order](t, first, first.StatusCode), decode[orderapi.Order](t, again, first.StatusCode)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		for _, name := range []string{"ETag", "Location"} {
			if first.Header.Get(name) != again.Header.Get(name) {
				t.Errorf("%s: the first %s is %s, the second %s", c.path, name, first.Header.Get(name), again.Header.Get(name))
			}
		}
		if first.Header.Get("Idempotency-Replayed") != "" || again.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s: the replay is not marked as a replay", c.path)
		}
		c.body, c.path = `{"total_amount":1,"currency":"EUR"}`, "/api/orders"
		isProblem(t, b.do(t, c), http.StatusUnprocessableEntity, "Idempotency-Key was used for another request")
	}
}

func TestAKeyBelongsToOneOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pay := func() call {
		return call{method: "POST", path: "/api/orders/" + b.create(t).OrderID + "/pay", header: []string{"Idempotency-Key", "pay"}}
	}
	decode[orderapi.Order](t, b.do(t, pay()), http.StatusOK)
	isProblem(t, b.do(t, pay()), http.StatusUnprocessableEntity, "Idempotency-Key was used for another request")
}

func TestTheTraceReachesTheOutbox(t *testing.T) {
	t.Parallel()
	const given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	const zeros = "00000000000000000000000000000000"
	for name, c := range map[string]struct {
		header string
		kept   string // "": a new one is made
	}{
		"a valid one is kept":         {given, given},
		"a later version becomes 00":  {"01" + given[2:] + "-more", given},
		"none":                        {"", ""},
		"version ff":                  {"ff" + given[2:], ""},
		"more fields than version 00": {given + "-more", ""},
		"joined without a dash":       {"01" + given[2:] + "more", ""},
		"upper case":                  {strings.ToUpper(given), ""},
		"trace id of zeros":           {"00-" + zeros + "-b7ad6b7169203331-01", ""},
		"parent id of zeros":          {"00-0af7651916cd43dd8448eb211c80319c-" + zeros[:16] + "-01", ""},
		"too short":                   {given[:54], ""},
		"no dashes":                   {strings.ReplaceAll(given, "-", "0"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.do(t, call{method: "POST", path: "/api/orders", body: lunch, header: []string{"Traceparent", c.header}})
			var got string
			if err := b.pool.QueryRow(t.Context(), "SELECT traceparent FROM outbox").Scan(&got); err != nil {
				t.Fatal(err)
			}
			if c.kept != "" && got != c.kept {
				t.Errorf("the outbox has %s, want %s", got, c.kept)
			}
			if c.kept == "" && (got[3:] == given[3:] || len(got) != len(given) || !strings.HasPrefix(got, "00-") || strings.Contains(got, zeros[:16])) {
				t.Errorf("the outbox has %q, want a new trace", got)
			}
		})
	}
}

// failing is a store that cannot be reached.
type failing struct{ err error }

func (f failing) Create(context.Context, order.Order, order.Request) (order.Answer, error) {
	return order.Answer{}, f.err
}

func (f failing) Change(context.Context, string, order.Status, order.Request) (order.Answer, error) {
	return order.Answer{}, f.err
}

func (f failing) Undo(context.Context, string, int64, []order.Status, order.Request) (order.Answer, error) {
	return order.Answer{}, f.err
}

func (f failing) Get(context.Context, string, string) (order.Order, error) {
	return order.Order{}, f.err
}

func (f failing) Page(context.Context, string, order.Query) ([]order.Order, bool, error) {
	return nil, false, f.err
}

func (f failing) Search(context.Context, string, string, int) ([]order.Order, error) {
	return nil, f.err
}

func (f failing) Count(context.Context, string, time.Time, time.Time) (map[order.Status]int, error) {
	return nil, f.err
}

func (f failing) TimeZone(context.Context, string) (string, error) { return "", f.err }

func (f failing) History(context.Context, string, string, string) ([]order.Change, bool, error) {
	return nil, false, f.err
}

func (f failing) Takings(context.Context, string, time.Time, time.Time) ([]order.Tally, error) {
	return nil, f.err
}

func (f failing) Made(context.Context, string, time.Time, time.Time) (map[order.Status]int, error) {
	return nil, f.err
}

type temporary struct{}

func (temporary) Error() string   { return "host db is down, password secret" }
func (temporary) Temporary() bool { return true }

func TestAStoreThatFails(t *testing.T) {
	t.Parallel()
	path := "/api/orders/" + uuid.NewString()
	for _, c := range []call{
		{method: "POST", path: "/api/orders", body: lunch},
		{method: "POST", path: path + "/pay"},
		{method: "POST", path: path + "/status", body: `{"status":"ready"}`},
		{method: "POST", path: path + "/undo", body: `{"version":2}`},
		{method: "GET", path: path},
		{method: "GET", path: "/api/orders/snapshot"},
		{method: "GET", path: "/api/orders/snapshot?state=current"},
		{method: "GET", path: "/api/orders/snapshot?q=A"},
		{method: "GET", path: "/api/orders/counts"},
		{method: "GET", path: path + "/history"},
	} {
		res := serve(t, failing{temporary{}}, nil).do(t, c)
		p := isProblem(t, res, http.StatusServiceUnavailable, "try again")
		if strings.Contains(p.Detail, "secret") || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %+v, Retry-After %q", c.path, p, res.Header.Get("Retry-After"))
		}
		isProblem(t, serve(t, failing{io.ErrNoProgress}, nil).do(t, c), http.StatusInternalServerError, "unexpected")
	}
}
