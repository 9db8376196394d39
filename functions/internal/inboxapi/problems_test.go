package inboxapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/problem/problemtest"
	"orderbell/internal/user"
)

// TestProblems has one request for each problem of the API. Those that all APIs share are in order-api's file.
func TestProblems(t *testing.T) {
	t.Parallel()
	b := setup(t, 0)
	var book problemtest.Book
	for _, c := range []struct{ request, what, body string }{
		{"GET /api/notifications?unread=yes", "unread", ""},
		{"POST /api/notifications/{id}/read", "an unknown notification", ""},
		{"POST /api/notifications/read", "no ids", `{}`},
		{"POST /api/notifications/read", "an id that is not a UUID", `{"notification_ids":["1"]}`},
		{"POST /api/notifications/read", "too many ids", `{"notification_ids":[` + strings.Repeat(`"`+ana+`",`, 100) + `"` + ana + `"]}`},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		r := httptest.NewRequestWithContext(t.Context(), method, strings.Replace(path, "{id}", bo, 1), strings.NewReader(c.body))
		r.Header.Set("Authorization", "Bearer "+authtest.Token(t, b.tokens, auth.Principal{UserID: ana, TenantID: "demo", Roles: []user.Role{user.Viewer}}))
		if method == http.MethodPost && c.body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		book.Add(t, c.request+": "+c.what, w.Result())
	}
	book.Compare(t)
}
