package house_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	goTest    = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	namedTest = regexp.MustCompile("`(Test\\w+)`")
	browsers  = regexp.MustCompile(`(test/e2e/\w+\.spec\.ts)(?: "([^"]+)")?`)
)

// goTests returns the names of all Go tests of the tree.
func goTests(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, name := range files(t) {
		if strings.HasSuffix(name, "_test.go") {
			for _, m := range goTest.FindAllStringSubmatch(read(t, name), -1) {
				names[m[1]] = true
			}
		}
	}
	return names
}

// missing returns the tests and files that a text of the specification names and that do not exist.
func missing(t *testing.T, text string, tests map[string]bool) []string {
	t.Helper()
	var gone []string
	for _, m := range namedTest.FindAllStringSubmatch(text, -1) {
		if !tests[m[1]] {
			gone = append(gone, m[1])
		}
	}
	for _, m := range browsers.FindAllStringSubmatch(text, -1) {
		if !exists(m[1]) || m[2] != "" && !strings.Contains(read(t, m[1]), "test('"+m[2]+"'") {
			gone = append(gone, m[0])
		}
	}
	return gone
}

func TestTheSpecificationNamesTestsThatExist(t *testing.T) {
	t.Parallel()
	const spec = "specs/004-order-notifications/"
	tests := goTests(t)
	for name, least := range map[string]int{"spec.md": 30, "tasks.md": 35, "research.md": 4} {
		text := read(t, spec+name)
		for _, gone := range missing(t, text, tests) {
			t.Errorf("%s%s names %s, which does not exist", spec, name, gone)
		}
		if found := len(namedTest.FindAllString(text, -1)) + len(browsers.FindAllString(text, -1)); found < least {
			t.Errorf("%s%s names %d tests, want at least %d", spec, name, found, least)
		}
	}
	for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(read(t, "docs/field-notes.md"), -1) {
		if !tests[name] {
			t.Errorf("docs/field-notes.md names %s, which does not exist", name)
		}
	}
	gone := missing(t, "`TestX` test/e2e/none.spec.ts test/e2e/orders.spec.ts \"no such test\" `TestFileLengths` test/e2e/orders.spec.ts", tests)
	if want := []string{"TestX", "test/e2e/none.spec.ts", `test/e2e/orders.spec.ts "no such test"`}; !slices.Equal(gone, want) {
		t.Errorf("missing are %q, want %q", gone, want)
	}
	for i, m := range regexp.MustCompile(`(?m)^\| (T\d{3}) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$`).FindAllStringSubmatch(read(t, spec+"tasks.md"), -1) {
		for path := range strings.SplitSeq(m[3], ", ") {
			if path = strings.Trim(path, "`"); !exists(path) {
				t.Errorf("%s: %s does not exist", m[1], path)
			}
		}
		if want := "T0" + string(rune('0'+(i+1)/10)) + string(rune('0'+(i+1)%10)); m[1] != want {
			t.Errorf("row %d is %s, want %s", i+1, m[1], want)
		}
	}
}

// TestSpecificationsAreNumberedAndComplete runs the check of `make check-specs` on invalid trees.
func TestSpecificationsAreNumberedAndComplete(t *testing.T) {
	t.Parallel()
	files := []string{"spec.md", "plan.md", "research.md", "quickstart.md", "tasks.md", "contracts/openapi.yaml"}
	for name, c := range map[string]struct {
		folders []string
		without string
		want    string
	}{
		"two numbers":   {[]string{"003-orders", "004-order-notifications"}, "", ""},
		"one number":    {[]string{"004-orders", "004-order-notifications"}, "", "share the number 004"},
		"no number":     {[]string{"orders"}, "", "want a number of three digits"},
		"no contracts":  {[]string{"004-orders"}, "contracts/openapi.yaml", "contracts is missing or empty"},
		"no quickstart": {[]string{"004-orders"}, "quickstart.md", "quickstart.md is missing or empty"},
		"none":          {nil, "", "has no specification"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, folder := range c.folders {
				for _, file := range files {
					path := filepath.Join(dir, "specs", folder, file)
					if file == c.without {
						continue
					}
					if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a folder of a test
						t.Fatal(err)
					}
					if err := os.WriteFile(path, []byte("text\n"), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			said, err := exec.CommandContext(t.Context(), filepath.Join(root, ".specify/scripts/bash/check-prerequisites.sh"), dir).CombinedOutput()
			if (err == nil) != (c.want == "") || !strings.Contains(string(said), c.want) {
				t.Errorf("%v: %s, want %q", err, said, c.want)
			}
		})
	}
}
