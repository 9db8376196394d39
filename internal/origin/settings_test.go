package origin_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"orderbell/internal/origin"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	s := origin.Settings{Issuer: "https://id.example/realm", ClientID: "page", Scope: "openid", Params: "audience=orderbell", Origins: "https://tokens.example"}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	files, err := origin.NewFiles(fstest.MapFS{"index.html": {Data: []byte("page")}, "a.svg": {Data: []byte("<svg/>")}})
	if err != nil {
		t.Fatal(err)
	}
	h := origin.New(origin.Config{Settings: s, Files: files, Log: quiet()})
	ask := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return w
	}
	const want = `{"oidc":{"issuer":"https://id.example/realm","client_id":"page","scope":"openid","params":{"audience":"orderbell"}}}`
	if got := strings.TrimSpace(ask("/config.json").Body.String()); got != want {
		t.Errorf("/config.json is %s, want %s", got, want)
	}
	for _, path := range []string{"/", "/signed-in"} {
		if got := ask(path).Header().Get("Content-Security-Policy"); !strings.Contains(got, "connect-src 'self' https://id.example https://tokens.example;") {
			t.Errorf("%s: policy %q does not let the page talk to the provider, and to no other", path, got)
		}
	}
	for name, wrong := range map[string]origin.Settings{
		"http":            {Issuer: "http://id.example", ClientID: "page"},
		"no URL":          {Issuer: "id.example", ClientID: "page"},
		"no client":       {Issuer: "https://id.example"},
		"params":          {Issuer: "https://id.example", ClientID: "page", Params: "a=%zz"},
		"another origin":  {Issuer: "https://id.example", ClientID: "page", Origins: "*"},
		"a policy of its": {Issuer: "https://id.example", ClientID: "page", Origins: "https://a.example; script-src *"},
	} {
		if wrong.Check() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	none := httptest.NewRecorder()
	origin.Settings{}.ServeHTTP(none, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/config.json", nil))
	if got := strings.TrimSpace(none.Body.String()); got != "{}" {
		t.Errorf("without a provider /config.json is %s, want {}", got)
	}
}
