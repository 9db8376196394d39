package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// apiPackages build the problems of the HTTP APIs and of the gateway, and the reasons of dead letters.
var apiPackages = []string{ //nolint:gochecknoglobals // a table
	"functions/internal/access", "functions/internal/deviceapi", "functions/internal/inboxapi", "functions/internal/optoutapi",
	"functions/internal/orderapi", "functions/internal/receiver", "functions/internal/route", "functions/internal/userapi", "internal/address",
	"internal/auth", "internal/event", "internal/event/cloudevent", "internal/order", "internal/origin", "internal/problem", "internal/rights", "internal/server", "internal/store/orderstore", "internal/strictjson", "internal/text",
	"internal/user", "sse-gateway/internal/stream",
}

// detailOf is the index of the argument with a problem's text, by function; -1 means the last.
var detailOf = map[string]int{ //nolint:gochecknoglobals // a table
	"New": 1, "Field": 1, "BadParameter": 1, "InvalidToken": 0, "tooMany": 0, "add": -1, "conflict": -1, "allowed": -1,
	"Error": 1, "Invalid": 1, "unknownSender": 0,
}

// packageOf says of which package such a function has to be, where other packages have one of the same name.
var packageOf = map[string]string{"New": "problem", "Error": "http"} //nolint:gochecknoglobals // a table

// sayers are functions of which every text is part of a problem.
var sayers = map[string]bool{ //nolint:gochecknoglobals // a table
	"internal/text.Fault": true, "internal/address.Parse": true, "internal/address.checkLocal": true, "internal/address.Domain": true,
	"internal/order.Error": true, "internal/auth.faults": true, "internal/auth.reason": true, "internal/auth.strictClaims": true,
	"internal/auth.tenant": true, "internal/auth.read": true,
}

// unseen are texts that no test produces, each with the reason.
var unseen = map[string]string{ //nolint:gochecknoglobals // a table
	"too many tills wait for approval":                 "10,000 open pairings",
	"an e-mail address can have at most %d characters": "a domain of that length is refused before",
}

// TestEveryProblemIsInAGoldenFile compares the texts of problems in the sources with the golden files of the APIs' tests.
func TestEveryProblemIsInAGoldenFile(t *testing.T) {
	t.Parallel()
	var golden strings.Builder
	for _, name := range files(t) {
		if strings.HasSuffix(name, "/testdata/problems.golden") {
			golden.WriteString(read(t, name))
		}
	}
	found := 0
	for _, folder := range apiPackages {
		for text, at := range problemTexts(t, folder) {
			found++
			if _, known := unseen[text]; !known && !asPattern(text).MatchString(golden.String()) {
				t.Errorf("%s: no golden file has a problem that says %q: add a request to TestProblems", at, text)
			}
		}
	}
	if found < 80 {
		t.Errorf("found only %d texts of problems", found)
	}
}

var (
	verb    = regexp.MustCompile(`%(?:\[\d\])?[a-z]|%\.0f`)
	wording = regexp.MustCompile(`[a-z] [a-z]`)
)

// asPattern returns a pattern that matches the results of a format.
func asPattern(format string) *regexp.Regexp {
	parts := verb.Split(format, -1)
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return regexp.MustCompile(strings.Join(parts, ".+"))
}

// problemTexts returns the texts of problems in a package, with their positions.
func problemTexts(t *testing.T, folder string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, folder))
	if err != nil {
		t.Fatal(err)
	}
	all, set := map[string]string{}, token.NewFileSet()
	collect := func(n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil && wording.MatchString(verb.ReplaceAllString(text, "")) {
					all[text] = folder + "/" + filepath.Base(set.Position(literal.Pos()).String())
				}
			}
			return true
		})
	}
	for _, entry := range entries {
		if name := entry.Name(); !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(set, filepath.Join(root, folder, entry.Name()), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if sayers[folder+"."+n.Name.Name] {
					collect(n)
				}
			case *ast.ValueSpec:
				if folder == "internal/auth" && strings.HasPrefix(strings.ToLower(n.Names[0].Name), "err") {
					collect(n)
				}
			case *ast.CallExpr:
				if detail := problemDetail(n); detail != nil {
					collect(detail)
				}
			case *ast.CompositeLit:
				if kind := lastName(n.Type); kind == "FieldError" || kind == "Fault" || kind == "UndoError" || kind == "InvalidError" {
					collect(n)
				}
			}
			return true
		})
	}
	return all
}

// problemDetail returns the argument of a call that is the text of a problem, or nil.
func problemDetail(call *ast.CallExpr) ast.Node {
	name := lastName(call.Fun)
	at, ok := detailOf[name]
	if selected, is := call.Fun.(*ast.SelectorExpr); is && packageOf[name] != "" && lastName(selected.X) != packageOf[name] {
		return nil
	}
	if at < 0 {
		at = len(call.Args) - 1
	}
	if !ok || at < 0 || at >= len(call.Args) {
		return nil
	}
	return call.Args[at]
}

func lastName(n ast.Expr) string {
	switch n := n.(type) {
	case *ast.Ident:
		return n.Name
	case *ast.SelectorExpr:
		return n.Sel.Name
	}
	return ""
}
