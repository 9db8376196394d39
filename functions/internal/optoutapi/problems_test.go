package optoutapi_test

import (
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"orderbell/functions/internal/mail/optout"
	"orderbell/functions/internal/optoutapi"
	"orderbell/internal/dev/goldentest"
	"orderbell/internal/problem/problemtest"
	"orderbell/internal/store/userstore"
)

var pageText = regexp.MustCompile(`<h1>(.*)</h1>\n<p>(.*)</p>`)

// TestProblems has one request for each refusal. Users see pages, other programs a line of text. UPDATE_GOLDEN=1 writes the file.
func TestProblems(t *testing.T) {
	t.Parallel()
	b := setup(t)
	confirm, err := optoutapi.NewConfirm(slog.New(slog.DiscardHandler), b.links, userstore.New(b.pool))
	if err != nil {
		t.Fatal(err)
	}
	away, err := optoutapi.New(slog.New(slog.DiscardHandler), b.links, broken{})
	if err != nil {
		t.Fatal(err)
	}
	invitation := func(email string, life time.Duration) string {
		link, err := b.links.ConfirmURL("demo", userID, email, time.Now().Add(life))
		if err != nil {
			t.Fatal(err)
		}
		return link
	}
	var book strings.Builder
	add := func(api http.Handler, method, link, what string) {
		t.Helper()
		w := do(api, method, link)
		said := strings.TrimSpace(w.Body.String())
		if found := pageText.FindStringSubmatch(said); found != nil {
			said = html.UnescapeString(found[1] + "\n  " + found[2])
		}
		if w.Code < http.StatusBadRequest {
			t.Errorf("%s: status %d", what, w.Code)
		}
		route := optout.Path
		if api == confirm {
			route = optout.ConfirmPath
		}
		_, _ = fmt.Fprintf(&book, "%s %s…: %s\n  %d %s\n  %s\n\n", method, route, what, w.Code, http.StatusText(w.Code), said)
	}
	add(b.api, "PUT", b.link(0), "another method")
	add(b.api, "GET", b.link(0)+"?%zz", "a malformed query")
	add(b.api, "POST", origin+optout.Path+"x", "not our link")
	add(b.api, "POST", b.link(48*time.Hour), "an old link")
	add(away, "POST", b.link(0), "the store cannot be reached")
	if w := do(b.api, "POST", b.link(0)); w.Code != http.StatusOK {
		t.Fatalf("the link is not taken: %d", w.Code)
	}
	b.exec(t, `UPDATE users SET notification_email_enabled = true`)
	add(b.api, "POST", b.link(0), "a link that was used")
	add(confirm, "PUT", invitation("ayu@demo.example", time.Hour), "another method")
	add(confirm, "POST", origin+optout.ConfirmPath+"x", "not our link")
	b.exec(t, `UPDATE users SET email_confirmed_at = NULL`)
	add(confirm, "POST", invitation("ayu@demo.example", -time.Hour), "an old link")
	add(confirm, "POST", invitation("bo@demo.example", time.Hour), "a link to another address")
	b.exec(t, `DELETE FROM users`)
	add(b.api, "POST", b.link(0), "the user was removed")

	goldentest.Compare(t, problemtest.File, book.String())
}
