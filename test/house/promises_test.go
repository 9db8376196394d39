package house_test

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

// named matches a test, a file with tests, or the folder of the names before it.
var named = regexp.MustCompile("`([^`]+)`| in ([a-z][\\w./-]*\\w)")

// TestEveryPromiseHasItsTest checks the table of docs/security.md: each promise names tests, and they exist in the named folder.
func TestEveryPromiseHasItsTest(t *testing.T) {
	t.Parallel()
	_, text, _ := strings.Cut(read(t, "docs/security.md"), "\n## Promises\n")
	text, _, _ = strings.Cut(text, "\n## ")
	rows := 0
	for line := range strings.Lines(text) {
		cells := strings.Split(line, " | ")
		if len(cells) != 2 || !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| promise ") {
			continue
		}
		rows++
		promise, tests := strings.TrimPrefix(cells[0], "| "), 0
		var names []string
		for _, m := range named.FindAllStringSubmatch(cells[1], -1) {
			switch name, folder := m[1], m[2]; {
			case name != "" && strings.Contains(name, "/"):
				tests++
				if !exists(name) {
					t.Errorf("%s: %s does not exist", promise, name)
				}
			case name != "":
				names = append(names, name)
			default:
				for _, name := range names {
					tests++
					if !tested(t, folder, name) {
						t.Errorf("%s: %s has no test %s", promise, folder, name)
					}
				}
				names = nil
			}
		}
		if tests == 0 || len(names) > 0 {
			t.Errorf("%s: names %d tests, and %v without a folder", promise, tests, names)
		}
	}
	if rows < 40 {
		t.Errorf("found only %d promises", rows)
	}
}

// tested says whether a folder's test files have the function, or a case of the name.
func tested(t *testing.T, folder, name string) bool {
	t.Helper()
	want := "`" + name
	if strings.HasPrefix(name, "Test") {
		want = "func " + name + "("
	}
	for _, file := range files(t) {
		if path.Dir(file) == folder && strings.HasSuffix(file, "_test.go") {
			if text := read(t, file); strings.Contains(text, want) || want[0] == '`' && strings.Contains(text, `"`+name) {
				return true
			}
		}
	}
	return false
}
