package optoutapi_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"orderbell/functions/internal/mail/optout"
	"orderbell/functions/internal/optoutapi"
	"orderbell/internal/dev/goldentest"
	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

const (
	userID = "01a2b3c4-0000-7000-8000-000000000001"
	mailID = "0193b5a2-1c1e-8c3a-9d55-0a1b2c3d4e5f"
	origin = "https://orders.example.com"
)

type testBundle struct {
	pool  *database.Pool
	links *optout.Links
	api   http.Handler
}

func open(t *testing.T) *optout.Links {
	t.Helper()
	links, err := optout.New(optout.Config{PublicURL: origin, Secret: strings.Repeat("s", 32), Life: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return links
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	b := &testBundle{pool: databasetest.New(t), links: open(t)}
	var err error
	if b.api, err = optoutapi.New(slog.New(slog.DiscardHandler), b.links, userstore.New(b.pool)); err != nil {
		t.Fatal(err)
	}
	b.exec(t, `INSERT INTO tenants (id, name, locale) VALUES ('demo', 'Kopi <Senja> & Co', 'en'), ('id', 'Kopi Senja', 'id')`)
	b.exec(t, `INSERT INTO users (id, tenant_id, email, roles) VALUES ($1, 'demo', 'ayu@demo.example', '{owner}')`, userID)
	return b
}

func (b *testBundle) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := b.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// state is what a link may change of the user: e-mail, in-app, version, and how many links were used.
type state struct {
	Email, InApp bool
	Version      int64
	Used         int
}

func (b *testBundle) state(t *testing.T) (s state) {
	t.Helper()
	err := b.pool.QueryRow(t.Context(), `SELECT notification_email_enabled, notification_in_app_enabled, version, (SELECT count(*) FROM optouts)
		FROM users WHERE email LIKE 'ayu@%' AND tenant_id = 'demo'`).Scan(&s.Email, &s.InApp, &s.Version, &s.Used)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (b *testBundle) link(age time.Duration) string {
	return b.links.URL("demo", userID, mailID, time.Now().Add(-age))
}

// do calls the link as a mail program does on POST, and as a browser otherwise.
func do(api http.Handler, method, link string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), method, strings.TrimPrefix(link, origin), strings.NewReader("List-Unsubscribe=One-Click"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return w
}

func assertPage(t *testing.T, w *httptest.ResponseRecorder, status int, says ...string) {
	t.Helper()
	h := w.Header()
	if w.Code != status || !strings.HasPrefix(h.Get("Content-Type"), "text/html") || h.Get("Cache-Control") != "no-store" ||
		h.Get("Referrer-Policy") != "no-referrer" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("status %d, want %d; header %v", w.Code, status, h)
	}
	for _, want := range append(says, `href="`+origin+`/#/preferences"`) {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %q in\n%s", want, w.Body)
		}
	}
}

func TestALink(t *testing.T) {
	t.Parallel()
	b := setup(t)
	link := b.link(0)
	asks := []string{"<h1>Unsubscribe from Kopi &lt;Senja&gt; &amp; Co?</h1>", "ayu@demo.example will no longer receive", `<form method="post">`, "Unsubscribe"}
	for range 2 {
		assertPage(t, do(b.api, "GET", link), 200, asks...)
	}
	assertPage(t, do(b.api, "HEAD", link), 200)
	if diff := cmp.Diff(state{true, true, 1, 0}, b.state(t)); diff != "" {
		t.Errorf("GET has changed something: %s", diff)
	}
	assertPage(t, do(b.api, "POST", link), 200, "<h1>You are unsubscribed</h1>", "ayu@demo.example no longer receives")
	off := state{false, true, 2, 1}
	if diff := cmp.Diff(off, b.state(t)); diff != "" {
		t.Error(diff)
	}
	for _, method := range []string{"POST", "GET", "POST"} { // mail programs repeat their requests
		assertPage(t, do(b.api, method, link), 200, "<h1>You are unsubscribed</h1>", "ayu@demo.example no longer receives")
		assertPage(t, do(b.api, method, b.link(25*time.Hour)), 200, "<h1>You are unsubscribed</h1>") // of an old mail
	}
	if diff := cmp.Diff(off, b.state(t)); diff != "" {
		t.Error(diff)
	}
	b.exec(t, `UPDATE users SET notification_email_enabled = true`)
	for _, method := range []string{"POST", "GET"} {
		assertPage(t, do(b.api, method, link), 400, "<h1>This link was already used</h1>")
	}
	if !b.state(t).Email {
		t.Error("a used link has switched e-mail off that was switched on again")
	}
	other := b.links.URL("demo", userID, uuid.NewString(), time.Now())
	assertPage(t, do(b.api, "POST", other), 200, "You are unsubscribed")
	if b.state(t).Email {
		t.Error("the link of another mail did nothing")
	}
	assertPage(t, do(b.api, "GET", b.links.URL("demo", userID, uuid.NewString(), time.Now())), 200, "You are unsubscribed")
}

func TestBadLinks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good := b.link(0)
	for name, test := range map[string]struct{ link, says string }{
		"cut off":           {good[:len(good)-2], "This link is incomplete"},
		"forged":            {strings.Replace(good, "AAAA", "AAAB", 1), "This link is incomplete"},
		"empty":             {origin + optout.Path, "This link is incomplete"},
		"too old":           {b.link(25 * time.Hour), "This link has expired"},
		"an unknown user's": {b.links.URL("demo", mailID, mailID, time.Now()), "This user no longer exists"},
		"another tenant's":  {b.links.URL("id", userID, mailID, time.Now()), "This user no longer exists"},
		"no tenant's":       {b.links.URL("nobody", userID, mailID, time.Now()), "This user no longer exists"},
	} {
		for _, method := range []string{"GET", "POST"} {
			w := do(b.api, method, test.link)
			assertPage(t, w, 400, "<h1>"+test.says+"</h1>")
			if strings.Contains(w.Body.String(), "<form") {
				t.Errorf("%s: there is a button", name)
			}
		}
	}
	if w := do(b.api, "DELETE", good); w.Code != 405 || w.Header().Get("Allow") == "" {
		t.Errorf("DELETE: %d %v", w.Code, w.Header())
	}
	if diff := cmp.Diff(state{true, true, 1, 0}, b.state(t)); diff != "" {
		t.Errorf("a bad link has changed something: %s", diff)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	link := b.link(0)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if w := do(b.api, "POST", link); w.Code != 200 {
				t.Errorf("status %d", w.Code)
			}
		})
	}
	wg.Wait()
	if diff := cmp.Diff(state{false, true, 2, 1}, b.state(t)); diff != "" {
		t.Errorf("it was done more than once: %s", diff)
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, `INSERT INTO users (id, tenant_id, email, roles) VALUES ($1, 'id', 'ayu@id.example', '{owner}')`, mailID)
	w := do(b.api, "GET", b.links.URL("id", mailID, mailID, time.Now()))
	assertPage(t, w, 200, `<html lang="id">`, "Berhenti menerima email dari Kopi Senja?")
	w = do(b.api, "GET", b.links.URL("id", mailID, mailID, time.Now().Add(-48*time.Hour)))
	assertPage(t, w, 400, `<html lang="id">`, "Tautan ini sudah kedaluwarsa")
	for header, want := range map[string]string{"id-ID,id;q=0.9,en;q=0.8": "id", "fr, en;q=0.5": "en", "": "en", ";;;": "en"} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", optout.Path+"x", nil)
		r.Header.Set("Accept-Language", header)
		w := httptest.NewRecorder()
		b.api.ServeHTTP(w, r)
		if got := w.Header().Get("Content-Language"); got != want || w.Code != 400 {
			t.Errorf("Accept-Language %q: %q, status %d", header, got, w.Code)
		}
	}
}

// broken is a store that cannot be reached.
type broken struct{}

func (broken) Subscription(context.Context, user.OptOut) (user.Subscription, error) {
	return user.Subscription{}, errors.New("no database")
}

func (b broken) OptOut(ctx context.Context, o user.OptOut, _ user.Act) (user.Subscription, error) {
	return b.Subscription(ctx, o)
}

func TestWithoutStore(t *testing.T) {
	t.Parallel()
	links := open(t)
	api, err := optoutapi.New(slog.New(slog.DiscardHandler), links, broken{})
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET", "POST"} {
		w := do(api, method, links.URL("demo", userID, mailID, time.Now()))
		assertPage(t, w, 503, "Something went wrong")
		if w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "no database") {
			t.Errorf("%v %s", w.Header(), w.Body)
		}
	}
}

func TestForgetOptOuts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	store := userstore.New(b.pool)
	for i := range 3 {
		o := user.OptOut{MailID: uuid.NewString(), TenantID: "demo", UserID: userID, Expires: time.Now().Add(time.Duration(i-1) * time.Hour)}
		if _, err := store.OptOut(t.Context(), o, user.Act{}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := store.ForgetOptOuts(t.Context(), time.Now().Add(time.Minute), 1); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := store.ForgetOptOuts(t.Context(), time.Now().Add(time.Minute), 10); n != 1 || err != nil || b.state(t).Used != 1 {
		t.Errorf("%d, %v, %d left", n, err, b.state(t).Used)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	page := do(b.api, "GET", b.link(0)).Body.String()
	goldentest.Compare(t, filepath.Join("testdata", "ask.golden.html"), page)
}
