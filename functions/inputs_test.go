package functions_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/language"

	"orderbell/functions/internal/deviceapi"
	"orderbell/functions/internal/inboxapi"
	"orderbell/functions/internal/orderapi"
	"orderbell/functions/internal/userapi"
	"orderbell/internal/address"
	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/openapitest"
	"orderbell/internal/order"
	"orderbell/internal/paths"
	"orderbell/internal/problem"
	"orderbell/internal/store/inboxstore"
	"orderbell/internal/store/orderstore"
	"orderbell/internal/text"
	"orderbell/internal/text/texttest"
	"orderbell/internal/user"
)

// handler returns both APIs as one. Each request gets a new handler, which has not counted any wrong codes.
func (w world) handler() http.Handler {
	terms := user.InvitationTerms{Limits: user.DefaultLimits{MaxUsers: 1e6, MaxInvitations: 1e6}, Life: 1e12, MailDomain: "orders.example"}
	inbox := inboxapi.New(w.log, w.verifier, inboxstore.New(w.pool), nowhere{})
	devices, pairings := deviceapi.New(w.log, w.verifier, w.users, w.revocations, 1e6)
	orders := orderapi.New(w.log, w.verifier, orderstore.New(w.pool))
	mux := http.NewServeMux()
	mux.Handle("/", userapi.New(w.log, w.verifier, w.users, w.revocations, terms))
	for path, h := range map[string]http.Handler{"/api/orders": orders, "/api/notifications": inbox, "/api/devices": devices, paths.Pairings: pairings} {
		mux.Handle(path, h)
		mux.Handle(path+"/", h)
	}
	return mux
}

// send asks as the owner of the first business, and checks the answer against the document.
func (w world) send(t *testing.T, in openapitest.Inputs, r *http.Request) (status int, answer []byte) {
	t.Helper()
	if !in.Public {
		r.Header.Set("Authorization", "Bearer "+authtest.Token(t, w.tokens, auth.Principal{UserID: w.owner.ID, TenantID: "acme", Roles: w.owner.Roles}))
	}
	recorder := httptest.NewRecorder()
	w.handler().ServeHTTP(recorder, r)
	answer, err := io.ReadAll(recorder.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	w.document.Check(t, r.Method, in.Path, recorder.Code, recorder.Header(), answer)
	return recorder.Code, answer
}

// sample is a request that is accepted, with every field of its body.
type sample struct{ path, body string }

// samples returns, for every route with a JSON body, a function that makes a sample. Each call makes another one.
func (w world) samples(t *testing.T) map[string]func() sample {
	t.Helper()
	count := 0
	store := orderstore.New(w.pool)
	fresh := func() string {
		made, err := store.Create(t.Context(), order.Order{TotalAmount: 5, Currency: "EUR"}, order.Request{TenantID: "acme"})
		if err != nil {
			t.Fatal(err)
		}
		return made.Order.ID
	}
	cancelled := func() string {
		id := fresh()
		if _, err := store.Change(t.Context(), id, order.Cancelled, order.Request{TenantID: "acme"}); err != nil {
			t.Fatal(err)
		}
		return id
	}
	pairing := func() (code string) {
		count++
		code = "BBBB-" + strings.Map(func(digit rune) rune { return rune("BCDFGHJKLM"[digit-'0']) }, fmt.Sprintf("%04d", count))
		if err := w.users.BeginPairing(t.Context(), code, user.HashSecret(code)); err != nil {
			t.Fatal(err)
		}
		return code
	}
	wishes := `"notification_email_enabled":true,"notification_in_app_enabled":true,"notification_email_events":["order_paid"],` +
		`"notification_in_app_events":["order_paid"],"time_zone":"UTC","quiet_hours":""`
	account := func() string {
		count++
		return fmt.Sprintf(`{"email":"u%d@acme.example","name":"U%[1]d","roles":["viewer"],%s}`, count, wishes)
	}
	added, err := w.users.Add(t.Context(), user.User{TenantID: "acme", Email: "changed@acme.example", Roles: []user.Role{user.Viewer}})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]func() sample{
		"POST /api/orders":             func() sample { return sample{"/api/orders", `{"reference":"A-1","total_amount":1,"currency":"EUR"}`} },
		"POST /api/orders/{id}/status": func() sample { return sample{"/api/orders/" + fresh() + "/status", `{"status":"cancelled"}`} },
		"POST /api/orders/{id}/undo":   func() sample { return sample{"/api/orders/" + cancelled() + "/undo", `{"version":2}`} },
		"POST /api/users":              func() sample { return sample{"/api/users", account()} },
		"PATCH /api/users/{id}":        func() sample { return sample{"/api/users/" + added.ID, account()} },
		"PATCH /api/tenant":            func() sample { return sample{"/api/tenant", `{"locale":"en","currency":"EUR","time_zone":"UTC"}`} },
		"PATCH /api/me/preferences":    func() sample { return sample{"/api/me/preferences", "{" + wishes + "}"} },
		"POST /api/notifications/read": func() sample {
			return sample{"/api/notifications/read", `{"notification_ids":["` + w.notificationID + `"]}`}
		},
		"POST /api/pairings/state": func() sample { return sample{"/api/pairings/state", `{"device_code":"` + pairing() + `"}`} },
		"POST /api/devices": func() sample {
			code := pairing()
			return sample{"/api/devices", `{"user_code":"` + code + `","name":"` + code + `","role":"kitchen"}`}
		},
	}
}

// put sends a sample with another JSON value in one field.
func (w world) put(t *testing.T, in openapitest.Inputs, s sample, field, value string) (status int, answer []byte) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), in.Method, s.path, strings.NewReader(with(t, s.body, field, value)))
	r.Header.Set("Content-Type", "application/json")
	return w.send(t, in, r)
}

// with returns a body with another value in one field.
func with(t *testing.T, body, field, value string) string {
	t.Helper()
	if field == "" {
		return body
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		t.Fatal(err)
	}
	const here = `"@here@"`
	name, element := strings.CutSuffix(field, "[]")
	if _, known := fields[name]; !known {
		t.Fatalf("the sample has no field %s: %s", field, body)
	}
	if fields[name] = json.RawMessage(here); element {
		fields[name] = json.RawMessage("[" + here + "]")
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(string(raw), here, value, 1)
}

// bodies calls do for every route with a JSON body, after a sample of it was accepted.
func (w world) bodies(t *testing.T, do func(in openapitest.Inputs, made func() sample)) {
	t.Helper()
	samples := w.samples(t)
	for _, in := range w.document.Inputs() {
		if len(in.Fields) == 0 || strings.HasPrefix(in.Path, streamPaths) {
			continue
		}
		made := samples[in.Method+" "+in.Path]
		if made == nil {
			t.Errorf("%s %s has a body, but no sample", in.Method, in.Path)
			continue
		}
		if status, answer := w.put(t, in, made(), "", ""); status >= 300 {
			t.Fatalf("the sample of %s %s: %d %s", in.Method, in.Path, status, answer)
		}
		do(in, made)
	}
}

// kept returns the rows, except those that count wrong codes.
func (w world) kept(t *testing.T) map[string]string {
	t.Helper()
	all := w.rows(t)
	delete(all, "refusals")
	return all
}

// hostile are strings that are known to break programs, beside those of text.json.
func hostile() []string {
	return []string{
		"", "null", "'; DROP TABLE users; --", "%00", "%s%n", "../../etc/passwd", "{{7*7}}", "${jndi:ldap://x}", "a@b@c.example", "-1", "NaN",
		"_", "%", `\`, `"`, strings.Repeat("ü", 10_000), strings.Repeat("\u0301", 300), "A" + strings.Repeat("\u0301", 300),
	}
}

// refused fails the test unless a problem names the field, or the whole array of which it is an element.
func refused(t *testing.T, what, field string, status int, answer []byte) {
	t.Helper()
	var p problem.Problem
	if err := json.Unmarshal(answer, &p); err != nil || status < 400 || status >= 500 {
		t.Errorf("%s: %d %s, want a problem that names %s", what, status, answer, field)
		return
	}
	whole, _ := strings.CutSuffix(field, "[]")
	if len(answer) > 4096 || !slices.ContainsFunc(p.Errors, func(e problem.FieldError) bool {
		return e.Field == whole || strings.HasPrefix(e.Field, whole+"[")
	}) {
		t.Errorf("%s: %d %.300s, want a problem that names %s", what, status, answer, field)
	}
}

// TestEveryTextIsStoredAsItIsOrRefused sends the cases of text.json, and others, in every string of every body.
func TestEveryTextIsStoredAsItIsOrRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	cases := texttest.Read(t)
	w.bodies(t, func(in openapitest.Inputs, made func() sample) {
		for _, f := range in.Fields {
			if f.Type != "string" {
				continue
			}
			what := in.Method + " " + in.Path + ": " + f.Name
			s := made()
			before := w.kept(t)
			for _, bad := range cases.Refused {
				status, answer := w.put(t, in, s, f.Name, texttest.JSON(bad.Text))
				refused(t, fmt.Sprintf("%s %+q", what, bad.Text), f.Name, status, answer)
			}
			if diff := cmp.Diff(before, w.kept(t)); diff != "" {
				t.Errorf("%s: a refused request has changed rows: %s", what, diff)
			}
			for _, good := range slices.Concat(cases.Accepted, hostile()) {
				status, answer := w.put(t, in, made(), f.Name, texttest.JSON(good))
				if status >= 300 {
					refused(t, fmt.Sprintf("%s %.100q", what, good), f.Name, status, answer)
				} else {
					asItIs(t, what, f.Name, good, answer)
				}
			}
		}
	})
}

// asItIs fails the test if the answer has another value of the field than was sent: names may be in their normal form,
// and addresses and languages in their canonical one.
func asItIs(t *testing.T, what, field, sent string, answer []byte) {
	t.Helper()
	var shown map[string]any
	if err := json.Unmarshal(answer, &shown); err != nil {
		t.Fatal(err)
	}
	name, element := strings.CutSuffix(field, "[]")
	got, there := shown[name]
	if all, ok := got.([]any); element && ok && len(all) == 1 {
		got = all[0]
	}
	want := []any{sent, text.Normal(sent)}
	switch field {
	case "email":
		parsed, err := address.Parse(sent)
		want = []any{parsed, err == nil}
	case "locale":
		want = []any{language.Make(sent).String()}
	}
	if there && !slices.Contains(want, got) {
		t.Errorf("%s: %+q was accepted and is shown as %+q", what, sent, got)
	}
}

// wrongTypes returns values that no field of the type may have.
func wrongTypes(of string) []string {
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	values := map[string]string{
		"string": `"125000"`, "integer": "1", "boolean": "true", "object": `{"a":{"b":null}}`, "array": `["x"]`, "null": "null",
		"array of null": "[null]", "array of arrays": "[[]]", "deep array": deep, "deep object": strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000),
		"fraction": "1.5", "exponent": "1e400", "small exponent": "1e-400", "huge exponent": "1e999999999999999999999", "digits": strings.Repeat("9", 5000),
		"negative": "-1", "empty object": "{}", "long string": `"` + strings.Repeat("A", 60_000) + `"`, "number of text": `"1e5"`,
	}
	delete(values, of)
	if of == "string" {
		delete(values, "number of text") // see [hostile]
	}
	all := make([]string, 0, len(values))
	for _, v := range values {
		all = append(all, v)
	}
	slices.Sort(all)
	return all
}

// TestNoValueOfAnotherTypeIsTaken sends values of other types in every field of every body.
func TestNoValueOfAnotherTypeIsTaken(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.bodies(t, func(in openapitest.Inputs, made func() sample) {
		s := made()
		before := w.kept(t)
		for _, f := range in.Fields {
			for _, value := range wrongTypes(f.Type) {
				status, answer := w.put(t, in, s, f.Name, value)
				refused(t, fmt.Sprintf("%s %s: %s as %.60s", in.Method, in.Path, f.Name, value), f.Name, status, answer)
			}
		}
		for name, body := range map[string]string{
			"nothing": "", "null": "null", "an array": "[]", "a text": `"x"`, "a number": "1e400", "half": "{", "two": "{}{}", "nested too deeply": strings.Repeat(`{"a":`, 10_900),
			"larger than allowed": `{"a":"` + strings.Repeat("x", problem.MaxBody) + `"}`, "a byte order mark": "\ufeff{}", "a name with NUL": `{"\u0000":1}`,
			"a long name": `{"` + strings.Repeat("é", 20_000) + `":1}`,
		} {
			r := httptest.NewRequestWithContext(t.Context(), in.Method, s.path, bytes.NewReader([]byte(body)))
			r.Header.Set("Content-Type", "application/json")
			if status, answer := w.send(t, in, r); status < 400 || status >= 500 || len(answer) > 4096 {
				t.Errorf("%s %s with %s as its body: %d %.200s", in.Method, in.Path, name, status, answer)
			}
		}
		if diff := cmp.Diff(before, w.kept(t)); diff != "" {
			t.Errorf("%s %s: what was refused has changed: %s", in.Method, in.Path, diff)
		}
	})
}

// TestEveryParameterIsReadOrRefused sends the cases of text.json in every parameter of every route.
func TestEveryParameterIsReadOrRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	cases := texttest.Read(t)
	values := slices.Concat(cases.Accepted, hostile())
	for _, bad := range cases.Refused {
		values = append(values, bad.Text)
	}
	samples := w.samples(t)
	for _, in := range w.document.Inputs() {
		if strings.HasPrefix(in.Path, streamPaths) || strings.Contains(in.Path, "{token}") {
			continue
		}
		for _, p := range in.Parameters {
			before := w.kept(t)
			for _, value := range values {
				if p.In == "path" && value == "" { // another path
					continue
				}
				path, body := strings.Replace(in.Path, "{id}", w.notificationID, 1), "" // the id does not exist
				if made := samples[in.Method+" "+in.Path]; made != nil {
					body = made().body
				}
				if p.In == "path" {
					path = strings.Replace(in.Path, "{id}", url.PathEscape(value), 1)
				}
				if p.In == "query" {
					path += "?" + url.Values{p.Name: {value}}.Encode()
				}
				r := httptest.NewRequestWithContext(t.Context(), in.Method, path, strings.NewReader(body))
				if body != "" {
					r.Header.Set("Content-Type", "application/json")
				}
				if p.In == "header" {
					r.Header[http.CanonicalHeaderKey(p.Name)] = []string{value}
				}
				status, answer := w.send(t, in, r)
				what := fmt.Sprintf("%s %s: %s %.100q", in.Method, in.Path, p.Name, value)
				switch {
				case status >= 500 || p.In == "path" && status != http.StatusNotFound:
					t.Errorf("%s: %d %s", what, status, answer)
				case p.In == "query" && status >= 300:
					refused(t, what, p.Name, status, answer)
				}
			}
			if diff := cmp.Diff(before, w.kept(t)); in.Method == http.MethodGet && diff != "" {
				t.Errorf("%s %s: it has changed: %s", in.Method, in.Path, diff)
			}
		}
	}
}
