package house_test

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

const (
	mostLinesOfMain = 50  // a main only connects packages, which have tests
	mostLinesOfFile = 400 // a reader can remember this much
)

// source says whether the file is hand-written code.
func source(name string) bool {
	switch path.Ext(name) {
	case ".go", ".ts", ".tsx", ".js", ".mjs", ".sh", ".sql", ".css":
		return true
	}
	return name == "Makefile" || name == ".ci/run" || strings.HasPrefix(name, "test/services/")
}

func TestFileLengths(t *testing.T) {
	t.Parallel()
	for _, name := range files(t) {
		if !source(name) {
			continue
		}
		most := mostLinesOfFile
		if path.Base(name) == "main.go" && !strings.HasPrefix(name, "tools/") {
			most = mostLinesOfMain
		}
		if lines := strings.Count(read(t, name), "\n"); lines > most {
			t.Errorf("%s has %d lines, want at most %d", name, lines, most)
		}
	}
}

// ofThisMachine returns texts that are specific to the machine and network of the checkout: its folder, the home of its user, and
// the hosts from which Go downloads.
func ofThisMachine(t *testing.T) []string {
	t.Helper()
	checkout, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{checkout + "/", home + "/"}
	for _, proxy := range strings.FieldsFunc(string(output(t, "go", "env", "GOPROXY")), func(r rune) bool {
		return r == ',' || r == '|' || unicode.IsSpace(r)
	}) {
		if u, err := url.Parse(proxy); err == nil && u.Host != "" {
			texts = append(texts, u.Host)
		}
	}
	return texts
}

func TestNoMachineInTheTree(t *testing.T) {
	t.Parallel()
	bad := ofThisMachine(t)
	for _, name := range files(t) {
		text := read(t, name)
		for _, b := range bad {
			if at := strings.Index(text, b); at >= 0 {
				t.Errorf("%s:%d has %q", name, 1+strings.Count(text[:at], "\n"), b)
			}
		}
	}
}

// TestLockFilesNameNoRegistry checks that npm's lock files have versions and hashes, but not the registry of the machine that wrote
// them.
func TestLockFilesNameNoRegistry(t *testing.T) {
	t.Parallel()
	locks := 0
	for _, name := range files(t) {
		if path.Base(name) != "package-lock.json" {
			continue
		}
		locks++
		text := read(t, name)
		if at := strings.Index(text, `"resolved": "http`); at >= 0 {
			t.Errorf("%s:%d names a registry: .npmrc has omit-lockfile-registry-resolved", name, 1+strings.Count(text[:at], "\n"))
		}
	}
	if locks == 0 {
		t.Fatal("found no lock files")
	}
}

var migrationName = regexp.MustCompile(`^migrations/(\d{6})_([a-z0-9_]+)\.(up|down)\.sql$`)

func TestMigrations(t *testing.T) {
	t.Parallel()
	halves := map[int]map[string]string{} // number → up, down → name
	for _, name := range files(t) {
		if !strings.HasPrefix(name, "migrations/") || path.Ext(name) != ".sql" {
			continue
		}
		match := migrationName.FindStringSubmatch(name)
		if match == nil {
			t.Errorf("%s is not called NNNNNN_words.up.sql or .down.sql", name)
			continue
		}
		number, err := strconv.Atoi(match[1])
		if err != nil {
			t.Fatal(err)
		}
		if halves[number] == nil {
			halves[number] = map[string]string{}
		}
		if other := halves[number][match[3]]; other != "" {
			t.Errorf("two migrations have the number %06d: %s and %s", number, other, match[2])
		}
		halves[number][match[3]] = match[2]
	}
	if len(halves) == 0 {
		t.Fatal("found no migrations")
	}
	for i, number := range slices.Sorted(maps.Keys(halves)) {
		if number != i+1 {
			t.Fatalf("migration %06d follows %06d: the numbers have a gap", number, i)
		}
		if pair := halves[number]; pair["up"] == "" || pair["up"] != pair["down"] {
			t.Errorf("migration %06d needs one up and one down file, has up %q, down %q", number, pair["up"], pair["down"])
		}
	}
}

// deployables returns the folder of each program that runs in a cluster: the functions, and the long-running programs at the top
// of the tree.
func deployables(t *testing.T) []string {
	t.Helper()
	var dirs []string
	for _, name := range files(t) {
		dir, last := path.Split(name)
		if dir = path.Clean(dir); last == "main.go" && (path.Dir(dir) == "." || path.Dir(dir) == "functions") {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func TestDeployables(t *testing.T) {
	t.Parallel()
	t.Run("the program has the name of its folder", func(t *testing.T) {
		t.Parallel()
		for _, dir := range deployables(t) {
			if want := fmt.Sprintf("service.Main(%q", path.Base(dir)); !strings.Contains(read(t, dir+"/main.go"), want) {
				t.Errorf("%s/main.go does not say %s…)", dir, want)
			}
		}
	})
	t.Run("each has a k8s base and a skaffold artifact", func(t *testing.T) {
		t.Parallel()
		skaffold := read(t, "skaffold.yaml")
		for _, dir := range deployables(t) {
			name := path.Base(dir)
			if !exists("k8s/base/" + name + "/kustomization.yaml") {
				t.Errorf("%s has no k8s/base/%s/kustomization.yaml", dir, name)
			}
			if !regexp.MustCompile(`(?m)image: .*\b` + regexp.QuoteMeta(name) + `$`).MatchString(skaffold) {
				t.Errorf("%s has no artifact in skaffold.yaml", dir)
			}
		}
	})
}

// instrument matches a call that creates a metric.
var instrument = regexp.MustCompile(`(?:Counter|Gauge|Histogram|\.gauge|\.counter)\(\s*"([^"]*)"`)

func TestMetricsHaveOnePrefixAndOneStyle(t *testing.T) {
	t.Parallel()
	style := regexp.MustCompile(`^orderbell(\.[a-z]+(_[a-z]+)*)+$`)
	found := 0
	for _, name := range files(t) {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "test/") {
			continue
		}
		for _, call := range instrument.FindAllStringSubmatch(read(t, name), -1) {
			found++
			if !style.MatchString(call[1]) {
				t.Errorf("%s: the name of the metric %q does not have the form orderbell.noun.quantity", name, call[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("found only %d metrics", found)
	}
}

// TestServersComeFromOnePackage keeps a server without timeouts out: only internal/server makes one.
func TestServersComeFromOnePackage(t *testing.T) {
	t.Parallel()
	made := regexp.MustCompile(`[^.\w]http\.(?:Server\{|ListenAndServe|Serve\(|ServeTLS\()`)
	found := false
	for _, name := range files(t) {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "test/") || strings.HasPrefix(name, "tools/") {
			continue
		}
		for _, what := range made.FindAllString(read(t, name), -1) {
			if path.Dir(name) == "internal/server" {
				found = true
			} else {
				t.Errorf("%s has %s: use internal/server, whose servers have all four timeouts and limits", name, what)
			}
		}
	}
	if !found {
		t.Error("found no server at all")
	}
}
