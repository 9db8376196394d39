package orderapi_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"orderbell/functions/internal/orderapi"
	"orderbell/internal/order"
	"orderbell/internal/problem"
	"orderbell/internal/text"
	"orderbell/internal/text/texttest"
	"orderbell/internal/user"
)

func TestBadRequests(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.create(t).OrderID
	post := func(path, body string, header ...string) call { return call{"POST", path, body, header} }
	get := func(path string, header ...string) call { return call{"GET", path, "", header} }
	orders, one, snapshot := "/api/orders", "/api/orders/"+id, "/api/orders/snapshot"
	for name, c := range map[string]struct {
		call   call
		status int
		detail string
	}{
		"no token":                    {post(orders, lunch, "Authorization", ""), 401, "Authorization: Bearer is missing"},
		"no token to read":            {get(snapshot, "Authorization", ""), 401, "Authorization: Bearer is missing"},
		"a malformed token":           {get(one, "Authorization", "Bearer abc"), 401, "malformed"},
		"another scheme":              {get(one, "Authorization", "Basic abc"), 401, "Authorization: Bearer is missing"},
		"a viewer creates":            {post(orders, lunch, "Authorization", "Bearer "+b.token(t, "acme", user.Viewer)), 403, "roles"},
		"the kitchen creates":         {post(orders, lunch, "Authorization", "Bearer "+b.token(t, "acme", user.Kitchen)), 403, "roles"},
		"the kitchen takes a payment": {post(one+"/pay", "", "Authorization", "Bearer "+b.token(t, "acme", user.Kitchen)), 403, "roles"},
		"a viewer moves":              {post(one+"/status", `{"status":"ready"}`, "Authorization", "Bearer "+b.token(t, "acme", user.Viewer)), 403, "roles"},
		"the kitchen cancels":         {post(one+"/status", `{"status":"cancelled"}`, "Authorization", "Bearer "+b.token(t, "acme", user.Kitchen)), 403, "setting an order to cancelled needs one of the roles owner, manager, cashier"},
		"the kitchen refunds":         {post(one+"/status", `{"status":"refunded"}`, "Authorization", "Bearer "+b.token(t, "acme", user.Kitchen)), 403, "setting an order to refunded needs one of the roles owner, manager, cashier"},
		"no role":                     {get(one, "Authorization", "Bearer "+b.token(t, "acme")), 403, "roles"},
		"an unknown tenant":           {post(orders, lunch, "Authorization", "Bearer "+b.token(t, "nobody", user.Owner)), 403, "tenant does not exist"},
		"another tenant reads":        {get(one, "Authorization", "Bearer "+b.token(t, "other", user.Owner)), 404, "no such order"},
		"another tenant pays":         {post(one+"/pay", "", "Authorization", "Bearer "+b.token(t, "other", user.Owner)), 404, "no such order"},
		"another tenant moves":        {post(one+"/status", `{"status":"cancelled"}`, "Authorization", "Bearer "+b.token(t, "other", user.Owner)), 404, "no such order"},
		"an id that is unknown":       {get("/api/orders/" + uuid.NewString()), 404, "no such order"},
		"an id that is not a UUID":    {get("/api/orders/1042"), 404, "no such order"},
		"an id in braces":             {get("/api/orders/{" + id + "}"), 404, "no such order"},
		"an id without dashes":        {post("/api/orders/"+strings.ReplaceAll(id, "-", "")+"/pay", ""), 404, "no such order"},
		"an unknown path":             {get("/api/ordersss"), 404, "no resource at /api/ordersss"},
		"a path below an order":       {get(one + "/receipt"), 404, "no resource at"},
		"a wrong method":              {get(orders), 405, "GET is not a method of /api/orders"},
		"a wrong method on pay":       {call{"PUT", one + "/pay", "", nil}, 405, "PUT"},
		"deleting an order":           {call{"DELETE", one, "", nil}, 405, "DELETE"},
		"posting to snapshot":         {post(snapshot, "{}"), 405, "POST"},
		"ready before paid":           {post(one+"/status", `{"status":"ready"}`), 409, "submitted cannot become ready: it can become paid, cancelled"},
		"back to submitted":           {post(one+"/status", `{"status":"submitted"}`), 409, "cannot become submitted"},
		"a body over the limit":       {post(orders, `{"reference":"`+strings.Repeat("x", problem.MaxBody)+`"}`), 413, "at most 65536 bytes"},
		"a large body on status":      {post(one+"/status", strings.Repeat(" ", problem.MaxBody+1)), 413, "at most 65536 bytes"},
		"a large body on pay":         {post(one+"/pay", strings.Repeat(" ", problem.MaxBody+1)), 413, "at most 65536 bytes"},
		"a form":                      {post(orders, "total_amount=1", "Content-Type", "application/x-www-form-urlencoded"), 415, "must be application/json"},
		"no media type":               {post(orders, lunch, "Content-Type", ""), 415, "must be application/json"},
		"a form on status":            {post(one+"/status", "status=ready", "Content-Type", "text/plain"), 415, "must be application/json"},
		"a form on pay":               {post(one+"/pay", "now=1", "Content-Type", "text/plain"), 415, "must be application/json"},
		"no body":                     {post(orders, "", "Content-Type", "application/json"), 400, "empty or ends within its JSON"},
		"half a body":                 {post(orders, `{"total_amount":1`), 400, "empty or ends within its JSON"},
		"no JSON":                     {post(orders, `{total_amount:1}`), 400, "not valid JSON"},
		"an array":                    {post(orders, `[]`), 400, "must be a JSON object"},
		"two values":                  {post(orders, lunch+lunch), 400, "must be one JSON object"},
		"no UTF-8":                    {post(orders, "{\"reference\":\"\xff\"}"), 400, "must be UTF-8"},
		"no JSON on status":           {post(one+"/status", `ready`), 400, "not valid JSON"},
		"a long key":                  {post(orders, lunch, "Idempotency-Key", strings.Repeat("k", 256)), 400, "Idempotency-Key must be one value of 1 to 255"},
		"a key in other letters":      {post(orders, lunch, "Idempotency-Key", "schlüssel"), 400, "Idempotency-Key must be"},
		"a long key on pay":           {post(one+"/pay", "", "Idempotency-Key", strings.Repeat("k", 256)), 400, "Idempotency-Key must be"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			isProblem(t, b.do(t, c.call), c.status, c.detail)
		})
	}
}

func TestTwoIdempotencyKeysAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, keys := range [][]string{{"one", "two"}, {""}} {
		r := newRequest(t, b, "POST", "/api/orders", lunch)
		r.Header["Idempotency-Key"] = keys
		isProblem(t, send(b, r), http.StatusBadRequest, "Idempotency-Key must be one value")
	}
}

func TestAnswersSayHowToDoBetter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for header, c := range map[string]struct {
		call call
		want string
	}{
		"WWW-Authenticate": {call{"GET", "/api/orders/snapshot", "", []string{"Authorization", "Bearer x"}}, `Bearer error="invalid_token"`},
		"Allow":            {call{"POST", "/api/orders/snapshot", "", nil}, "GET, HEAD"},
		"Accept":           {call{"POST", "/api/orders", "x", []string{"Content-Type", "text/plain"}}, "application/json"},
	} {
		res := b.do(t, c.call)
		_ = res.Body.Close()
		if got := res.Header.Get(header); got != c.want {
			t.Errorf("%s is %q, want %q", header, got, c.want)
		}
	}
}

func TestFieldsThatAreWrong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.create(t).OrderID
	most := strings.Repeat("ü", order.MaxReference)
	for body, want := range map[string][]problem.FieldError{
		`{}`:                                    {{Field: "total_amount", Detail: "is missing"}},
		`{"total_amount":null,"currency":null}`: {{Field: "total_amount", Detail: "must not be null"}},
		`{"total_amount":-1,"currency":"EUR"}`:  {{Field: "total_amount", Detail: "must be an integer from 0 to 1000000000000 in the currency's minor unit"}},
		`{"total_amount":1000000000001,"currency":"EUR"}`:                 {{Field: "total_amount", Detail: "must be an integer from 0 to 1000000000000 in the currency's minor unit"}},
		`{"total_amount":1.5,"currency":"EUR"}`:                           {{Field: "total_amount", Detail: "must be an integer; it is a JSON number 1.5"}},
		`{"total_amount":9007199254740993.0,"currency":"EUR"}`:            {{Field: "total_amount", Detail: "must be an integer from 0 to 1000000000000 in the currency's minor unit"}},
		`{"total_amount":0.9999999999999999999999,"currency":"EUR"}`:      {{Field: "total_amount", Detail: "must be an integer; it is a JSON number 0.9999999999999999999999"}},
		`{"total_amount":999999999999.99999999,"currency":"EUR"}`:         {{Field: "total_amount", Detail: "must be an integer; it is a JSON number 999999999999.99999999"}},
		`{"total_amount":1,"total_amount":2,"currency":"EUR"}`:            {{Field: "total_amount", Detail: "occurs more than once"}},
		`{"TOTAL_AMOUNT":1,"currency":"EUR"}`:                             {{Field: "TOTAL_AMOUNT", Detail: "must be spelled total_amount: names are case-sensitive"}},
		`{"total_amount":1,"currency":"EUR","reference":"a\ud83d"}`:       {{Field: "reference", Detail: "contains half of a surrogate pair, which is not a character"}},
		`{"total_amount":"1","currency":"EUR"}`:                           {{Field: "total_amount", Detail: "must be an integer; it is a JSON string"}},
		`{"total_amount":1,"currency":"eur"}`:                             {{Field: "currency", Detail: "must be three capital letters as in ISO 4217, such as EUR"}},
		`{"total_amount":1,"currency":"EUROS"}`:                           {{Field: "currency", Detail: "must be three capital letters as in ISO 4217, such as EUR"}},
		`{"total_amount":1,"currency":"EUR","colour":"x"}`:                {{Field: "colour", Detail: "is not a field of this request"}},
		`{"total_amount":1,"currency":"EUR","reference":"` + most + `x"}`: {{Field: "reference", Detail: "is longer than 64 characters"}},
		`{"total_amount":1,"currency":"EUR","reference":"a\u0000b"}`:      {{Field: "reference", Detail: "contains U+0000, which is invisible or changes how the text around it is shown"}},
		`{"total_amount":1,"currency":"EUR","reference":"a\nb"}`:          {{Field: "reference", Detail: "contains U+000A, which is invisible or changes how the text around it is shown"}},
	} {
		p := isProblem(t, b.do(t, call{method: "POST", path: "/api/orders", body: body}), http.StatusUnprocessableEntity, want[0].Field)
		if diff := cmp.Diff(want, p.Errors); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
	for body, want := range map[string]problem.FieldError{
		`{}`:                            {Field: "status", Detail: "is missing"},
		`{"status":null}`:               {Field: "status", Detail: "must not be null"},
		`{"status":"eaten"}`:            {Field: "status", Detail: fmt.Sprintf("must be one of %s", text.List(order.Statuses()))},
		`{"status":"paid"}`:             {Field: "status", Detail: "cannot be set to paid: use POST /api/orders/{id}/pay"},
		`{"status":1}`:                  {Field: "status", Detail: "must be a string; it is a JSON number"},
		`{"status":"ready","why":"so"}`: {Field: "why", Detail: "is not a field of this request"},
	} {
		p := isProblem(t, b.do(t, call{method: "POST", path: "/api/orders/" + id + "/status", body: body}), http.StatusUnprocessableEntity, want.Field)
		if diff := cmp.Diff([]problem.FieldError{want}, p.Errors); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
	// These are still allowed.
	body := `{"total_amount":1000000000000,"currency":"EUR","reference":"` + most + `"}`
	if got := decode[orderapi.Order](t, b.do(t, call{method: "POST", path: "/api/orders", body: body}), http.StatusCreated); got.Reference != most {
		t.Errorf("reference is %q", got.Reference)
	}
	for _, spelled := range []string{"125000.0", "1.25e5", "125000"} { // one integer (JSON Schema Core, §4.2.3)
		body := `{"total_amount":` + spelled + `,"currency":"EUR"}`
		if got := decode[orderapi.Order](t, b.do(t, call{method: "POST", path: "/api/orders", body: body}), http.StatusCreated); got.TotalAmount != 125000 {
			t.Errorf("%s is an amount of %d", spelled, got.TotalAmount)
		}
	}
}

func TestSnapshotParameters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	raw := func(b ...byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	future := make([]byte, 24)
	future[0] = 0x7f
	for query, field := range map[string]string{
		"limit=0": "limit", "limit=501": "limit", "limit=-1": "limit", "limit=ten": "limit", "limit=": "limit", "limit=1.5": "limit",
		"cursor=": "cursor", "cursor=!!!": "cursor", "cursor=" + raw(1, 2, 3): "cursor", "cursor=" + raw(future...): "cursor",
		"cursor=" + raw(make([]byte, 25)...): "cursor",
	} {
		p := isProblem(t, b.do(t, call{method: "GET", path: "/api/orders/snapshot?" + query}), http.StatusBadRequest, field)
		if len(p.Errors) != 1 || p.Errors[0].Field != field {
			t.Errorf("%s: errors are %v", query, p.Errors)
		}
	}
	// An invented cursor in the right form is a position without orders after it.
	got := decode[orderapi.Snapshot](t, b.do(t, call{method: "GET", path: "/api/orders/snapshot?limit=500&cursor=" + raw(make([]byte, 24)...)}), http.StatusOK)
	if diff := cmp.Diff(orderapi.Snapshot{Orders: []orderapi.Order{}}, got); diff != "" {
		t.Error(diff)
	}
}

// TestAnEmptyChunkedBodyIsNoBody uses a client that streams an empty body.
func TestAnEmptyChunkedBodyIsNoBody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newRequest(t, b, "POST", "/api/orders/"+b.create(t).OrderID+"/pay", "")
	r.Header.Del("Content-Type")
	r.Body, r.ContentLength = io.NopCloser(io.MultiReader()), -1
	res := send(b, r)
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		t.Errorf("POST /pay with an empty chunked body: %s, want 200", res.Status)
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	b := setup(t)
	create := func(reference string) *http.Response {
		return b.do(t, call{method: "POST", path: "/api/orders", body: `{"total_amount":1,"currency":"EUR","reference":` + texttest.JSON(reference) + `}`})
	}
	search := func(reference string) *http.Response {
		return b.do(t, call{method: "GET", path: "/api/orders/snapshot?q=" + url.QueryEscape(reference)})
	}
	cases := texttest.Read(t)
	for _, good := range cases.Accepted {
		made := decode[orderapi.Order](t, create(good), http.StatusCreated)
		if made.Reference != text.Normal(good) {
			t.Errorf("%+q: the reference is %+q", good, made.Reference)
		}
		found := decode[orderapi.Snapshot](t, search(good), http.StatusOK).Orders
		if !slices.ContainsFunc(found, func(o orderapi.Order) bool { return o.OrderID == made.OrderID }) {
			t.Errorf("%+q: the order is not found by its reference", good)
		}
	}
	for _, bad := range cases.Refused {
		p := isProblem(t, create(bad.Text), http.StatusUnprocessableEntity, "reference")
		if len(p.Errors) != 1 || !bad.Named(p.Errors[0].Detail) {
			t.Errorf("%+q: %+v, want an error that names %s", bad.Text, p.Errors, bad.Point)
		}
		isProblem(t, search(bad.Text), http.StatusBadRequest, "q")
	}
	// 33 characters that are 66 in form NFC
	isProblem(t, create(strings.Repeat("\u0958", 33)), http.StatusUnprocessableEntity, "reference")
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	create := func(amount string) *http.Response {
		return b.do(t, call{method: "POST", path: "/api/orders", body: `{"currency":"EUR","total_amount":` + amount + `}`})
	}
	cases := texttest.ReadAmounts(t)
	for written, want := range cases.Accepted {
		if made := decode[orderapi.Order](t, create(written), http.StatusCreated); made.TotalAmount != want {
			t.Errorf("%s is read as %d, want %d", written, made.TotalAmount, want)
		}
	}
	for _, written := range cases.Refused {
		isProblem(t, create(written), http.StatusUnprocessableEntity, "total_amount")
	}
}
