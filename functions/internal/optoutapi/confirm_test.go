package optoutapi_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"orderbell/functions/internal/optoutapi"
	"orderbell/internal/store/userstore"
)

func TestAConfirmationLink(t *testing.T) {
	t.Parallel()
	b := setup(t)
	api, err := optoutapi.NewConfirm(slog.New(slog.DiscardHandler), b.links, userstore.New(b.pool))
	if err != nil {
		t.Fatal(err)
	}
	b.exec(t, `UPDATE users SET email_confirmed_at = NULL`)
	link := func(email string, life time.Duration) string {
		link, err := b.links.ConfirmURL("demo", userID, email, time.Now().Add(life))
		if err != nil {
			t.Fatal(err)
		}
		return link
	}
	confirmed := func() (is bool) {
		if err := b.pool.QueryRow(t.Context(), `SELECT email_confirmed_at IS NOT NULL FROM users`).Scan(&is); err != nil {
			t.Fatal(err)
		}
		return is
	}
	says := func(what, method, link string, status int, wants ...string) {
		t.Helper()
		w := do(api, method, link)
		if w.Code != status || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: status %d, want %d; %v", what, w.Code, status, w.Header())
		}
		for _, want := range wants {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: no %q in\n%s", what, want, w.Body)
			}
		}
	}
	good := link("ayu@demo.example", time.Hour)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet} {
		says("a link scanner", method, good, 200)
	}
	says("the page asks", http.MethodGet, good, 200, "<h1>Is ayu@demo.example your address?</h1>", `<form method="post"><button>Yes, confirm`)
	says("a link that is too old", http.MethodPost, link("ayu@demo.example", -time.Second), 400, "<h1>This link has expired</h1>")
	says("a link to another address", http.MethodPost, link("bo@demo.example", time.Hour), 400, "<h1>This invitation is no longer valid</h1>")
	says("a link that is not ours", http.MethodPost, good[:len(good)-3]+"abc", 400, "<h1>This link is incomplete</h1>")
	if w := do(api, http.MethodPut, good); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("PUT: status %d", w.Code)
	}
	if confirmed() {
		t.Fatal("the address is confirmed without a POST of a good link")
	}
	for range 2 {
		says("the button", http.MethodPost, good, 200, "<h1>The address is confirmed</h1>", "Kopi &lt;Senja&gt; &amp; Co can now send")
	}
	says("opened again", http.MethodGet, good, 200, "<h1>The address is confirmed</h1>")
	if !confirmed() {
		t.Error("the address is not confirmed")
	}
	b.exec(t, `DELETE FROM users`)
	says("a cancelled invitation", http.MethodPost, good, 400, "<h1>This invitation is no longer valid</h1>")
}
