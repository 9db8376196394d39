package userapi_test

import (
	"strings"
	"testing"

	"orderbell/functions/internal/userapi"
	"orderbell/internal/problem"
	"orderbell/internal/text"
	"orderbell/internal/text/texttest"
)

func TestNames(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := "/api/users/" + b.cashier.ID
	cases := texttest.Read(t)
	for _, good := range cases.Accepted {
		if got := decode[userapi.User](t, b.do(t, b.asOwner, "PATCH", path, `{"name":`+texttest.JSON(good)+`}`), 200); got.Name != text.Normal(good) {
			t.Errorf("%+q: the name is %+q", good, got.Name)
		}
	}
	for _, bad := range cases.Refused {
		for method, at := range map[string]string{"PATCH": path, "POST": "/api/users"} {
			p := decode[problem.Problem](t, b.do(t, b.asOwner, method, at, `{"email":"n@acme.example","roles":["viewer"],"name":`+texttest.JSON(bad.Text)+`}`), 422)
			if len(p.Errors) != 1 || p.Errors[0].Field != "name" || !bad.Named(p.Errors[0].Detail) {
				t.Errorf("%s %+q: %+v, want an error of name with %s", method, bad.Text, p.Errors, bad.Point)
			}
		}
	}
	made := decode[userapi.User](t, b.do(t, b.asOwner, "POST", "/api/users", `{"email":"n@acme.example","roles":["viewer"],"name":" Cafe\u0301 "}`), 201)
	if made.Name != "Caf\u00e9" {
		t.Errorf("a new user's name is %+q", made.Name)
	}
	decode[problem.Problem](t, b.do(t, b.asOwner, "PATCH", path, `{"name":"`+strings.Repeat("\u0958", 101)+`"}`), 422) // 202 in form NFC
}
