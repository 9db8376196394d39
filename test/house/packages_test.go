package house_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// plan is the document that lists every package with its kind.
const plan = "specs/004-order-notifications/plan.md"

// planRow is one row of it: folder, kind, and after a comma the store that an adapter is for.
var planRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (domain|edge|adapter|logic|main)(?:, (\\w+))?[^|]*\\|")

// kinds returns the kind of each package in the plan's table, by folder. A row that ends in /… covers all packages below it.
func kinds(t *testing.T) map[string]string {
	t.Helper()
	byPath := map[string]string{}
	for _, row := range planRow.FindAllStringSubmatch(read(t, plan), -1) {
		byPath[row[1]] = row[2]
		if row[2] == "adapter" && row[3] == "Postgres" {
			byPath[row[1]] = "store"
		}
	}
	if len(byPath) == 0 {
		t.Fatalf("%s has no table of packages", plan)
	}
	return byPath
}

// kindOf returns the kind of p: the one in the plan, "main", "test" for a package that only tests import, or "" if the plan does
// not list p.
func kindOf(p pkg, byPath map[string]string) string {
	path := p.path()
	switch {
	case p.Name == "main":
		return "main"
	case len(p.GoFiles) == 0 || strings.HasSuffix(p.Name, "test"):
		return "test"
	case path == "migrations":
		return "domain" // SQL in an embed.FS, it imports nothing
	}
	if kind, ok := byPath[path]; ok {
		return kind
	}
	for dir := filepath.Dir(path); dir != "."; dir = filepath.Dir(dir) {
		if kind, ok := byPath[dir+"/…"]; ok {
			return kind
		}
	}
	return ""
}

// mayImport says which kind may import which: dependencies point one way, and adapters do not import each other, except that every
// PostgreSQL store uses internal/store/database.
func mayImport(from, to string, imported pkg) bool {
	switch from {
	case "domain":
		return to == "domain"
	case "store":
		return to == "domain" || to == "edge" || imported.path() == "internal/store/database"
	case "edge", "adapter":
		return to == "domain" || to == "edge"
	case "logic":
		return to == "domain" || to == "edge" || to == "logic"
	}
	return from == "main" || from == "test"
}

func TestPackages(t *testing.T) {
	t.Parallel()
	all, byPath := packages(t), kinds(t)
	byImport := map[string]pkg{}
	for _, p := range all {
		byImport[p.ImportPath] = p
	}
	t.Run("each is in the plan's table", func(t *testing.T) {
		t.Parallel()
		for _, p := range all {
			if kindOf(p, byPath) == "" {
				t.Errorf("%s is not in the table of %s", p.path(), plan)
			}
		}
		for path := range byPath {
			if !exists(strings.TrimSuffix(path, "/…")) {
				t.Errorf("%s names %s, which does not exist", plan, path)
			}
		}
	})
	t.Run("arrows only point down", func(t *testing.T) {
		t.Parallel()
		for _, p := range all {
			from := kindOf(p, byPath)
			for _, path := range p.Imports {
				imported, ours := byImport[path]
				if !ours {
					continue
				}
				if to := kindOf(imported, byPath); !mayImport(from, to, imported) {
					t.Errorf("%s (%s) imports %s (%s)", p.path(), from, imported.path(), to)
				}
			}
		}
	})
	t.Run("order imports the standard library only", func(t *testing.T) {
		t.Parallel()
		for path := range strings.Lines(string(output(t, "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./internal/order"))) {
			if path = strings.TrimSpace(path); path != "orderbell/internal/order" {
				t.Errorf("internal/order depends on %s", path)
			}
		}
	})
	t.Run("programs that take no CloudEvents do not link the SDK", func(t *testing.T) {
		t.Parallel()
		for _, program := range []string{"./sse-gateway", "./functions/order-api", "./functions/user-api"} {
			for path := range strings.Lines(string(output(t, "go", "list", "-deps", program))) {
				if strings.HasPrefix(path, "github.com/cloudevents/") {
					t.Errorf("%s links %s", program, strings.TrimSpace(path))
				}
			}
		}
	})
	t.Run("programs do not link the migrations' library", func(t *testing.T) {
		t.Parallel()
		for _, dir := range deployables(t) { // the command line migrates
			for path := range strings.Lines(string(output(t, "go", "list", "-deps", "./"+dir))) {
				if strings.HasPrefix(path, "github.com/golang-migrate/") {
					t.Errorf("%s links %s", dir, strings.TrimSpace(path))
				}
			}
		}
	})
	t.Run("programs contain neither the operations page nor what it breaks", func(t *testing.T) {
		t.Parallel()
		for _, dir := range deployables(t) { // the page can stop servers, and is for development only
			for path := range strings.Lines(string(output(t, "go", "list", "-deps", "./"+dir))) {
				for _, developers := range []string{"orderbell/cmd/orderbell/internal/opspage", "orderbell/cmd/orderbell/internal/devstack", "orderbell/internal/dev/"} {
					if strings.HasPrefix(path, developers) {
						t.Errorf("%s links %s", dir, strings.TrimSpace(path))
					}
				}
			}
		}
	})
	t.Run("nothing but tests imports a …test package", func(t *testing.T) {
		t.Parallel()
		for _, p := range all {
			for _, path := range p.Imports {
				if kindOf(p, byPath) != "test" && strings.HasSuffix(path, "test") {
					t.Errorf("%s imports %s", p.path(), path)
				}
			}
		}
	})
}

func TestPackageComments(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		names := p.GoFiles
		if len(names) == 0 {
			names = append(p.TestGoFiles, p.XTestGoFiles...)
		}
		var found []string
		for _, name := range names {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			if file.Doc == nil {
				continue
			}
			found = append(found, name)
			text := file.Doc.Text()
			if first := "Package " + file.Name.Name + " "; p.Name != "main" && !strings.HasPrefix(text, first) {
				t.Errorf("%s/%s: the package comment begins %.40q, want %q", p.path(), name, text, first)
			}
		}
		if len(found) != 1 {
			t.Errorf("%s has package comments in %v, want one", p.path(), found)
		}
	}
}
