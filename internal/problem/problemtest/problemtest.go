// Package problemtest compares an API's problems with a golden file, which a reviewer reads in one sitting.
package problemtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"orderbell/internal/dev/goldentest"
	"orderbell/internal/problem"
)

// File is where each API's test data has its problems.
const File = "testdata/problems.golden"

// inTime is a time to wait, which differs from run to run.
var inTime = regexp.MustCompile(`\bin (?:\d+h)?(?:\d+m)?\d+s\b`)

// Book collects problems in the order in which they are added.
type Book struct{ text strings.Builder }

// Add records the problem that a request gets. request describes it: its method, its path and its fault. The request ID of an
// unexpected error is left out.
func (b *Book) Add(t *testing.T, request string, res *http.Response) {
	t.Helper()
	defer func() { _ = res.Body.Close() }()
	var p problem.Problem
	if err := json.NewDecoder(res.Body).Decode(&p); err != nil || res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: %s is not a problem: %v", request, res.Status, err)
	}
	if p.Status != res.StatusCode {
		t.Errorf("%s: the problem says %d, the answer is %d", request, p.Status, res.StatusCode)
	}
	_, _ = fmt.Fprintf(&b.text, "%s\n  %d %s (%s)\n  %s\n", request, p.Status, p.Title, p.Type, inTime.ReplaceAllString(p.Detail, "in TIME"))
	for _, e := range p.Errors {
		_, _ = fmt.Fprintf(&b.text, "    %s: %s\n", e.Field, e.Detail)
	}
	if p.Limit != "" {
		_, _ = fmt.Fprintf(&b.text, "    limit: %s\n", p.Limit)
	}
	b.text.WriteByte('\n')
}

// AddText records an answer in plain text, which is for a browser.
func (b *Book) AddText(t *testing.T, request string, res *http.Response) {
	t.Helper()
	defer func() { _ = res.Body.Close() }()
	said, err := io.ReadAll(res.Body)
	if kind := res.Header.Get("Content-Type"); err != nil || res.StatusCode < http.StatusBadRequest || kind != "text/plain; charset=utf-8" {
		t.Errorf("%s: %s in %q is not a refusal in plain text: %v", request, res.Status, kind, err)
	}
	_, _ = fmt.Fprintf(&b.text, "%s\n  %d %s (plain text)\n  %s\n\n", request, res.StatusCode, http.StatusText(res.StatusCode), strings.TrimSpace(string(said)))
}

// Compare compares the problems with the package's [File]. UPDATE_GOLDEN=1 writes it.
func (b *Book) Compare(t *testing.T) {
	t.Helper()
	goldentest.Compare(t, File, b.text.String())
}
