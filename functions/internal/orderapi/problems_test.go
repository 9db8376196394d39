package orderapi_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"orderbell/functions/internal/orderapi"
	"orderbell/internal/order"
	"orderbell/internal/problem"
	"orderbell/internal/problem/problemtest"
	"orderbell/internal/store/orderstore"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

// TestProblems has one request for each problem of the API, also for those that all APIs share.
func TestProblems(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var book problemtest.Book
	paid, old, cancelled := b.create(t).OrderID, b.create(t).OrderID, b.create(t).OrderID
	as := func(tenant string, roles ...user.Role) []string {
		return []string{"Authorization", "Bearer " + b.token(t, tenant, roles...)}
	}
	key := []string{"Idempotency-Key", "one"}
	const orders, snapshot = "POST /api/orders", "GET /api/orders/snapshot"
	for _, made := range []call{
		{"POST", "/api/orders/" + paid + "/pay", "", key},
		{"POST", "/api/orders/" + cancelled + "/status", `{"status":"cancelled"}`, nil},
		{"POST", "/api/orders/" + old + "/status", `{"status":"cancelled"}`, nil},
	} {
		if res := b.do(t, made); res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", made.path, res.Status)
		}
	}
	if _, err := b.pool.Exec(t.Context(), "UPDATE orders SET updated_at = now() - interval '1 hour' WHERE id = $1", old); err != nil {
		t.Fatal(err)
	}
	ids := strings.NewReplacer("PAID", paid, "OLD", old, "CANCELLED", cancelled, "UNKNOWN", uuid.NewString())
	long := strings.Repeat("x", order.MaxReference+1)
	for _, c := range []struct {
		request, what, body string // the request as "GET /api/things"
		header              []string
	}{
		{snapshot, "without a token", "", []string{"Authorization", ""}},
		{snapshot, "a token of another program", "", []string{"Authorization", "Bearer x"}},
		{snapshot, "a token without a role", "", as("acme")},
		{orders, "a viewer", `{"total_amount":1}`, as("acme", user.Viewer)},
		{orders, "an unknown tenant", `{"total_amount":1}`, as("nobody", user.Owner)},
		{"GET /api/ordersss", "an unknown path", "", nil},
		{"GET /api/orders", "another method", "", nil},

		{orders, "another media type", "total_amount=1", []string{"Content-Type", "text/plain"}},
		{orders, "a compressed body", lunch, []string{"Content-Encoding", "gzip"}},
		{orders, "another charset", lunch, []string{"Content-Type", "application/json; charset=latin1"}},
		{orders, "a body over the limit", `{"reference":"` + strings.Repeat("x", problem.MaxBody) + `"}`, nil},
		{orders, "not UTF-8", "{\"reference\":\"\xff\"}", nil},
		{orders, "not JSON", "{total_amount:1}", nil},
		{orders, "half of the JSON", `{"total_amount":1`, nil},
		{orders, "two JSON values", lunch + lunch, nil},
		{orders, "an array", "[]", nil},
		{orders, "null", "null", nil},
		{orders, "a field twice", `{"total_amount":1,"total_amount":2}`, nil},
		{orders, "a field in capitals", `{"TOTAL_AMOUNT":1}`, nil},
		{orders, "an unknown field", `{"total_amount":1,"tip":1}`, nil},
		{orders, "half a character", `{"reference":"\ud83d"}`, nil},
		{orders, "a name with half a character", `{"\ud83d":1}`, nil},
		{orders, "fields that are null", `{"total_amount":null,"currency":null}`, nil},
		{orders, "fields of other types", `{"total_amount":"1"}`, nil},
		{orders, "a reference that is a number", `{"reference":1}`, nil},

		{orders, "no amount", `{}`, nil},
		{orders, "every field is wrong", `{"reference":"` + long + `","total_amount":-1,"currency":"eur"}`, nil},
		{orders, "a reference with a line end", `{"total_amount":1,"reference":"a\nb"}`, nil},
		{orders, "a reference that begins with a joiner", `{"total_amount":1,"reference":"\u0301"}`, nil},
		{orders, "a reference of spaces", `{"total_amount":1,"reference":"  "}`, nil},
		{orders, "an Idempotency-Key with a letter that is not ASCII", `{"total_amount":1}`, []string{"Idempotency-Key", "ü"}},
		{orders, "an Idempotency-Key of another request", `{"total_amount":1}`, key},

		{"POST /api/orders/{id}/pay", "an unknown order", "", nil},
		{"POST /api/orders/PAID/status", "no status", `{}`, nil},
		{"POST /api/orders/PAID/status", "an unknown status", `{"status":"eaten"}`, nil},
		{"POST /api/orders/PAID/status", "a payment", `{"status":"paid"}`, nil},
		{"POST /api/orders/PAID/status", "a state that does not follow", `{"status":"cancelled"}`, nil},
		{"POST /api/orders/CANCELLED/status", "a state after the last", `{"status":"ready"}`, nil},
		{"POST /api/orders/PAID/status", "the kitchen refunds", `{"status":"refunded"}`, as("acme", user.Kitchen)},

		{"POST /api/orders/PAID/undo", "no version", `{}`, nil},
		{"POST /api/orders/PAID/undo", "version 0", `{"version":0}`, nil},
		{"POST /api/orders/PAID/undo", "an older version", `{"version":1}`, nil},
		{"POST /api/orders/PAID/undo", "a payment", `{"version":2}`, nil},
		{"POST /api/orders/CANCELLED/undo", "the kitchen undoes a cancellation", `{"version":2}`, as("acme", user.Kitchen)},
		{"POST /api/orders/OLD/undo", "a change of an hour ago", `{"version":2}`, nil},

		{snapshot + "?limit=%zz", "a malformed query", "", nil},
		{snapshot + "?limit=1&limit=2", "a parameter twice", "", nil},
		{snapshot + "?Limit=1", "a parameter in capitals", "", nil},
		{snapshot + "?colour=red", "an unknown parameter", "", nil},
		{snapshot + "?limit=0", "limit", "", nil},
		{snapshot + "?cursor=abc", "cursor", "", nil},
		{snapshot + "?q=A&state=open", "q and state", "", nil},
		{snapshot + "?q=", "an empty q", "", nil},
		{snapshot + "?q=a%00b", "q with a control character", "", nil},
		{snapshot + "?q=%ff", "q with a byte that is not UTF-8", "", nil},
		{snapshot + "?state=eaten", "an unknown state", "", nil},
		{snapshot + "?state=current&from=2026-11-24", "current from a day", "", nil},
		{snapshot + "?from=yesterday", "a day in words", "", nil},
		{snapshot + "?from=0000-01-01", "the year 0", "", nil},
		{snapshot + "?from=2026-11-24&to=2026-11-20", "a period that ends before it begins", "", nil},
		{"GET /api/orders/summary?date=today", "a date in words", "", as("acme", user.Owner)},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		res := b.do(t, call{method, ids.Replace(strings.Replace(path, "{id}", "UNKNOWN", 1)), c.body, c.header})
		book.Add(t, strings.NewReplacer("PAID", "{id}", "OLD", "{id}", "CANCELLED", "{id}").Replace(c.request)+": "+c.what, res)
	}
	for _, name := range []string{"Authorization", "Content-Type"} {
		r := newRequest(t, b, "POST", "/api/orders", lunch)
		r.Header[name] = []string{r.Header.Get(name), r.Header.Get(name)}
		book.Add(t, orders+": "+name+" twice", send(b, r))
	}
	r := newRequest(t, b, "POST", "/api/orders", "{")
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), broken{}))
	book.Add(t, orders+": a body that breaks off", send(b, r))
	book.Add(t, snapshot+": a store is down", serve(t, failing{temporary{}}, nil).do(t, call{method: "GET", path: "/api/orders/snapshot"}))
	book.Add(t, snapshot+": an unexpected error", serve(t, failing{io.ErrNoProgress}, nil).do(t, call{method: "GET", path: "/api/orders/snapshot"}))
	b.addLimited(t, &book)
	book.Compare(t)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("reset by peer") }

// addLimited has a tenant create more orders than it may.
func (b bundle) addLimited(t *testing.T, book *problemtest.Book) {
	t.Helper()
	limited := serve(t, orderapi.Limited(orderstore.New(b.pool), userstore.New(b.pool), user.DefaultLimits{OrdersPerSecond: 1}), b.pool)
	for range 100 {
		res := limited.do(t, call{method: "POST", path: "/api/orders", body: `{"total_amount":1}`})
		if res.StatusCode == http.StatusTooManyRequests {
			book.Add(t, "POST /api/orders: more orders than the limit", res)
			return
		}
	}
	t.Error("no order is refused at a limit of one a second")
}
