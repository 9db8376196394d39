package functions_test

import (
	"compress/gzip"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
)

// TestEveryRouteRefusesOtherMethods tries every method on every path of both APIs.
func TestEveryRouteRefusesOtherMethods(t *testing.T) {
	t.Parallel()
	w := setup(t)
	allowed := map[string][]string{}
	for _, in := range w.document.Inputs() {
		if strings.HasPrefix(in.Path, streamPaths) || strings.Contains(in.Path, "{token}") {
			continue
		}
		allowed[in.Path] = append(allowed[in.Path], in.Method)
		if in.Method == http.MethodGet {
			allowed[in.Path] = append(allowed[in.Path], http.MethodHead)
		}
	}
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "QUERY"}
	for path, takes := range allowed {
		for _, method := range methods {
			if slices.Contains(takes, method) {
				continue
			}
			r := httptest.NewRequestWithContext(t.Context(), method, strings.Replace(path, "{id}", w.orderID, 1), nil)
			answer := httptest.NewRecorder()
			w.handler().ServeHTTP(answer, r)
			slices.Sort(takes)
			if answer.Code != http.StatusMethodNotAllowed || answer.Header().Get("Allow") != strings.Join(takes, ", ") ||
				answer.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s %s: %d, Allow: %s, want 405 and %v", method, path, answer.Code, answer.Header().Get("Allow"), takes)
			}
		}
		unknown := httptest.NewRecorder()
		w.handler().ServeHTTP(unknown, httptest.NewRequestWithContext(t.Context(), http.MethodPost, strings.ReplaceAll(path, "{id}", w.orderID)+"/no/such", nil))
		if unknown.Code != http.StatusNotFound || unknown.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s/no/such: %d, want 404", path, unknown.Code)
		}
	}
}

// TestNoBodyIsReadAsWhatItIsNot sends a body that is compressed or not UTF-8 to every route that reads one.
func TestNoBodyIsReadAsWhatItIsNot(t *testing.T) {
	t.Parallel()
	w := setup(t)
	samples := w.samples(t)
	for _, in := range w.document.Inputs() {
		if in.Method == http.MethodGet || in.Method == http.MethodDelete || strings.HasPrefix(in.Path, streamPaths) || strings.Contains(in.Path, "{token}") {
			continue
		}
		s := sample{strings.Replace(in.Path, "{id}", w.notificationID, 1), "{}"}
		if made := samples[in.Method+" "+in.Path]; made != nil {
			s = made()
		}
		var zipped strings.Builder
		z := gzip.NewWriter(&zipped)
		if _, err := z.Write([]byte(s.body)); err != nil || z.Close() != nil {
			t.Fatal(err)
		}
		before := w.kept(t)
		for name, c := range map[string]struct {
			header http.Header
			body   string
		}{
			"gzip":                   {http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, zipped.String()},
			"two codings":            {http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"identity", "br"}}, s.body},
			"Latin-1":                {http.Header{"Content-Type": {"application/json; charset=iso-8859-1"}}, s.body},
			"UTF-16":                 {http.Header{"Content-Type": {`application/json; charset="UTF-16"`}}, s.body},
			"two media types":        {http.Header{"Content-Type": {"application/json", "text/plain"}}, s.body},
			"parameters that repeat": {http.Header{"Content-Type": {"application/json; charset=utf-8; charset=latin1"}}, s.body},
			"a longer media type":    {http.Header{"Content-Type": {"application/json-patch+json"}}, s.body},
		} {
			r := httptest.NewRequestWithContext(t.Context(), in.Method, s.path, strings.NewReader(c.body))
			r.Header = c.header
			if status, answer := w.send(t, in, r); status != http.StatusUnsupportedMediaType {
				t.Errorf("%s %s as %s: %d %s, want 415", in.Method, in.Path, name, status, answer)
			}
		}
		if after := w.kept(t); !maps.Equal(before, after) {
			t.Errorf("%s %s: what was refused has changed", in.Method, in.Path)
		}
		if s.body == "{}" {
			continue // its answer depends on what is there
		}
		r := httptest.NewRequestWithContext(t.Context(), in.Method, s.path, strings.NewReader(s.body))
		r.Header = http.Header{"Content-Type": {`Application/JSON;odd="a;b";charset="UTF-8"`}, "Content-Encoding": {"identity"}, "Accept": {"image/png"}}
		if status, answer := w.send(t, in, r); status >= 300 {
			t.Errorf("%s %s in UTF-8: %d %s", in.Method, in.Path, status, answer)
		}
	}
}

// TestTwoTokensAreRefusedOnEveryRoute sends two headers: one of them valid, and both.
func TestTwoTokensAreRefusedOnEveryRoute(t *testing.T) {
	t.Parallel()
	w := setup(t)
	token := "Bearer " + authtest.Token(t, w.tokens, auth.Principal{UserID: w.owner.ID, TenantID: "acme", Roles: w.owner.Roles})
	for _, in := range w.document.Inputs() {
		if in.Public || strings.HasPrefix(in.Path, streamPaths) {
			continue
		}
		for _, both := range [][]string{{token, token}, {"Bearer x", token}, {token, ""}} {
			r := httptest.NewRequestWithContext(t.Context(), in.Method, strings.Replace(in.Path, "{id}", w.orderID, 1), nil)
			r.Header["Authorization"] = both
			answer := httptest.NewRecorder()
			w.handler().ServeHTTP(answer, r)
			if answer.Code != http.StatusUnauthorized || !strings.Contains(answer.Body.String(), "must occur once") {
				t.Errorf("%s %s: %d %s, want 401", in.Method, in.Path, answer.Code, answer.Body)
			}
		}
	}
}
