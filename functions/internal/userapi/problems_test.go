package userapi_test

import (
	"net/http"
	"strings"
	"testing"

	"orderbell/functions/internal/userapi"
	"orderbell/internal/problem/problemtest"
	"orderbell/internal/user"
)

// TestProblems has one request for each problem of the API. Those that all APIs share are in order-api's file.
func TestProblems(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var book problemtest.Book
	const add, change, prefer, tenant = "POST /api/users", "PATCH /api/users/CASHIER", "PATCH /api/me/preferences", "PATCH /api/tenant"
	robot := b.token(t, user.User{ID: "robot", TenantID: "nowhere", Roles: []user.Role{user.Owner}})
	ids := strings.NewReplacer("CASHIER", b.cashier.ID, "OWNER", b.owner.ID, "OTHER", b.eve.ID)
	for _, c := range []struct {
		token, request, what, body string
		header                     []string
	}{
		{b.asCash, "GET /api/users", "a cashier", "", nil},
		{b.asOwner, "GET /api/users/OTHER", "another tenant's user", "", nil},
		{robot, add, "a tenant that does not exist", `{"email":"a@b.example","roles":["viewer"]}`, nil},

		{b.asOwner, add, "no field", `{}`, nil},
		{b.asOwner, add, "every field is wrong", `{"email":"ana","name":"a\u0000b","roles":["admin","viewer","viewer"],"notification_email_events":["order_eaten"],` +
			`"notification_in_app_events":["order_paid","order_paid"],"time_zone":"Mars/Olympus","quiet_hours":"22:00-22:00"}`, nil},
		{b.asOwner, add, "a long name, no role", `{"email":"a@b.example","name":"` + strings.Repeat("x", user.MaxName+1) + `","roles":[]}`, nil},
		{b.asOwner, add, "nothing before the @", `{"email":"@b.example","roles":["viewer"]}`, nil},
		{b.asOwner, add, "quotation marks", `{"email":"\"a b\"@b.example","roles":["viewer"]}`, nil},
		{b.asOwner, add, "too long before the @", `{"email":"` + strings.Repeat("a", 65) + `@b.example","roles":["viewer"]}`, nil},
		{b.asOwner, add, "too long", `{"email":"` + strings.Repeat("a", 64) + `@` + strings.Repeat("b.", 100) + `example","roles":["viewer"]}`, nil},
		{b.asOwner, add, "umlauts before the @", `{"email":"ü@b.example","roles":["viewer"]}`, nil},
		{b.asOwner, add, "a space before the @", `{"email":"a b@b.example","roles":["viewer"]}`, nil},
		{b.asOwner, add, "two dots before the @", `{"email":"a..b@b.example","roles":["viewer"]}`, nil},
		{b.asOwner, add, "an IP address", `{"email":"a@[192.0.2.1]","roles":["viewer"]}`, nil},
		{b.asOwner, add, "an IP address without brackets", `{"email":"a@192.0.2.1","roles":["viewer"]}`, nil},
		{b.asOwner, add, "a top-level domain that begins with a digit", `{"email":"a@b.4you","roles":["viewer"]}`, nil},
		{b.asOwner, add, "nothing after the @", `{"email":"a@","roles":["viewer"]}`, nil},
		{b.asOwner, add, "a domain without a dot", `{"email":"a@localhost","roles":["viewer"]}`, nil},
		{b.asOwner, add, "a domain with an underscore", `{"email":"a@b_c.example","roles":["viewer"]}`, nil},
		{b.asOwner, add, "the address of another user", `{"email":"cashier@acme.example","roles":["viewer"]}`, nil},
		{b.asManager, add, "a new owner, by a manager", `{"email":"a@b.example","roles":["owner"]}`, nil},

		{b.asOwner, change, "an If-Match without quotes", `{"name":"x"}`, []string{"If-Match", "7"}},
		{b.asOwner, change, "an If-Match of two versions", `{"name":"x"}`, []string{"If-Match", `"1", "2"`}},
		{b.asOwner, change, "an If-Match of an older version", `{"name":"x"}`, []string{"If-Match", `"7"`}},
		{b.asOwner, change, "an object for an array", `{"roles":{}}`, nil},
		{b.asManager, "PATCH /api/users/OWNER", "an owner, by a manager", `{"name":"x"}`, nil},
		{b.asOwner, "PATCH /api/users/OWNER", "the last owner", `{"roles":["manager"]}`, nil},
		{b.asOwner, "DELETE /api/users/OWNER", "oneself", "", nil},
		{b.asOwner, "POST /api/users/CASHIER/invitation", "an address that is confirmed", "", nil},
		{b.asCash, prefer, "a text for a choice", `{"notification_email_enabled":"no"}`, nil},
		{b.asOwner, tenant, "every field is wrong", `{"locale":"e!","currency":"EURO","time_zone":"Mars/Olympus"}`, nil},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		res := b.do(t, c.token, method, ids.Replace(path), c.body, c.header...)
		book.Add(t, strings.NewReplacer("CASHIER", "{id}", "OWNER", "{id}", "OTHER", "{id}").Replace(c.request)+": "+c.what, res)
	}
	most := int64(4)
	if _, err := b.store.SetLimits(t.Context(), "acme", "operator:test", map[user.Limit]*int64{user.MaxUsers: &most}); err != nil {
		t.Fatal(err)
	}
	kim := decode[userapi.User](t, b.do(t, b.asOwner, "POST", "/api/users", `{"email":"kim@acme.example","roles":["viewer"]}`), http.StatusCreated).UserID
	again := "/api/users/" + kim + "/invitation"
	for range 10 {
		if res := b.do(t, b.asOwner, "POST", again, ""); res.StatusCode != http.StatusAccepted {
			book.Add(t, "POST /api/users/{id}/invitation: too soon", res)
			break
		}
	}
	book.Add(t, add+": one user more than the limit", b.do(t, b.asOwner, "POST", "/api/users", `{"email":"lea@acme.example","roles":["viewer"]}`))
	b.bounded(t)
	for range 3 {
		b.do(t, b.asE, "PATCH", "/api/tenant", `{"locale":"id"}`)
	}
	book.Add(t, tenant+": one change more than a user may make", b.do(t, b.asE, "PATCH", "/api/tenant", `{"locale":"id"}`))
	book.Compare(t)
}
