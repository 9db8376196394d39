package house_test

import (
	"path"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// written matches a path of the API in a string of Go or TypeScript.
var written = regexp.MustCompile("[\"'`](/api/[^\"'`?\\s]*)")

// Paths of Go are mostly made of a constant of package paths and a string: paths.Orders + "/{id}".
var (
	constant = regexp.MustCompile(`(?m)^\t(\w+) += "(/api/[^"]+)"`)
	joined   = regexp.MustCompile(`paths\.(\w+) ?\+ ?"(/[^"]*)"`)
)

// usedPaths returns the paths of the API in a file.
func usedPaths(text string, constants map[string]string) (used []string) {
	for _, m := range written.FindAllStringSubmatch(text, -1) {
		used = append(used, m[1])
	}
	for _, m := range joined.FindAllStringSubmatch(text, -1) {
		if base, ok := constants[m[1]]; ok {
			used = append(used, base+m[2])
		}
	}
	return used
}

// TestPathsOfTheAPIAreDocumented checks that the paths that programs, the page and operators' commands use are in the OpenAPI document.
func TestPathsOfTheAPIAreDocumented(t *testing.T) {
	t.Parallel()
	var doc struct {
		Paths map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "specs/004-order-notifications/contracts/openapi.yaml")), &doc); err != nil {
		t.Fatal(err)
	}
	constants := map[string]string{}
	for _, m := range constant.FindAllStringSubmatch(read(t, "internal/paths/paths.go"), -1) {
		constants[m[1]] = m[2]
	}
	found := 0
	for _, name := range files(t) {
		if ext := path.Ext(name); ext != ".go" && ext != ".ts" && ext != ".tsx" || strings.Contains(name, ".test.") ||
			strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "test/") || strings.HasPrefix(name, "tools/") {
			continue
		}
		for _, used := range usedPaths(read(t, name), constants) {
			if strings.HasPrefix(used, "/api/v1") || used == "/api/" {
				continue // Mailpit's, and all of them
			}
			found++
			if !documented(used, doc.Paths) {
				t.Errorf("%s uses %s, which the OpenAPI document does not have", name, used)
			}
		}
	}
	if found < 55 {
		t.Errorf("found only %d paths", found)
	}
	for path, want := range map[string]bool{
		"/api/orders": true, "/api/orders/": true, "/api/sse": true, "/api/orders/${id}/pay": true, "/api/users${query}": true,
		"/api/order": false, "/api/orders/${id}/paid": false, "/api/sse/events": false,
	} {
		if documented(path, doc.Paths) != want {
			t.Errorf("%s is documented: %t, want %t", path, !want, want)
		}
	}
}

// documented says whether a path, or a path that begins with it, is in the document. An expression matches any segment.
func documented(used string, paths map[string]any) bool {
	used, _, _ = strings.Cut(strings.TrimSuffix(used, "/"), "${query}")
	got := strings.Split(used, "/")
	for path := range paths {
		want := strings.Split(path, "/")
		fits := len(got) <= len(want)
		for i := 0; fits && i < len(got); i++ {
			fits = got[i] == want[i] || strings.HasPrefix(want[i], "{") && strings.HasPrefix(strings.TrimPrefix(got[i], "$"), "{")
		}
		if fits {
			return true
		}
	}
	return false
}
