package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const envExample = ".env.example"

// variable is an environment variable of the code.
type variable struct {
	files    []string // that declare it
	standard string   // its default
	allowed  string   // its values, if they are listed: "a, b, c"
	words    string   // its explanation
	required bool
}

// declared returns the environment variables that the struct tags envconfig:"NAME" of the code declare.
func declared(t *testing.T) map[string]variable {
	t.Helper()
	all := map[string]variable{}
	for _, name := range files(t) {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			field, ok := n.(*ast.Field)
			if !ok || field.Tag == nil {
				return true
			}
			text, err := strconv.Unquote(field.Tag.Value)
			if err != nil {
				t.Fatal(err)
			}
			tag := reflect.StructTag(text)
			if key, ok := tag.Lookup("envconfig"); ok {
				v := all[key]
				v.files = append(v.files, name)
				v.standard = tag.Get("default")
				v.required = tag.Get("required") == "true"
				v.allowed = strings.TrimPrefix(strings.ReplaceAll(tag.Get("oneof"), ",", ", "), ", ")
				all[key] = v
			}
			return true
		})
	}
	if len(all) == 0 {
		t.Fatal("no environment variable is declared anywhere")
	}
	return all
}

// envLine matches a variable of .env.example: commented out with its default, or set to an example.
var envLine = regexp.MustCompile(`^(# )?([A-Z][A-Z0-9_]*)=(.*)$`)

// explained returns the variables of .env.example, and checks that each has an explanation above it.
func explained(t *testing.T) map[string]variable {
	t.Helper()
	all := map[string]variable{}
	words := ""
	for line := range strings.Lines(read(t, envExample)) {
		line = strings.TrimSpace(line)
		match := envLine.FindStringSubmatch(line)
		switch {
		case match != nil:
			name := match[2]
			if words == "" {
				t.Errorf("%s: %s has no explanation above it", envExample, name)
			}
			if _, twice := all[name]; twice {
				t.Errorf("%s: %s is listed twice", envExample, name)
			}
			all[name] = variable{files: []string{envExample}, standard: match[3], required: match[1] == "", words: words}
			words = ""
		case line == "":
			words = ""
		case strings.HasPrefix(line, "# ") && !strings.HasPrefix(line, "# ----"):
			words += strings.TrimPrefix(line, "#")
		}
	}
	return all
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	variables := declared(t)
	t.Run("each variable is declared once", func(t *testing.T) {
		t.Parallel()
		for name, v := range variables {
			if len(v.files) != 1 {
				t.Errorf("%s is declared in %v", name, v.files)
			}
		}
	})
	t.Run("each variable is explained in .env.example with its default, and no other", func(t *testing.T) {
		t.Parallel()
		words := explained(t)
		for name, v := range variables {
			w, ok := words[name]
			switch {
			case !ok:
				t.Errorf("%s (%s) is not explained in %s", name, v.files[0], envExample)
			case v.required && !w.required:
				t.Errorf("%s is required, but %s comments it out", name, envExample)
			case !w.required && w.standard != v.standard:
				t.Errorf("%s says that %s is %q by default, but it is %q", envExample, name, w.standard, v.standard)
			case v.allowed == "" && strings.Contains(w.words, ": one of "):
				t.Errorf("%s lists the values of %s, but the code does not check them: add the tag oneof", envExample, name)
			case !strings.Contains(w.words, v.allowed):
				t.Errorf("%s explains %s:%s; the code accepts one of %q", envExample, name, w.words, v.allowed)
			}
		}
		for name := range words {
			if _, ok := variables[name]; !ok {
				t.Errorf("%s explains %s, which no Config declares", envExample, name)
			}
		}
	})
	t.Run("k8s sets declared variables only", func(t *testing.T) {
		t.Parallel()
		for _, name := range files(t) {
			if !strings.HasPrefix(name, "k8s/") || path.Ext(name) != ".env" {
				continue
			}
			for _, match := range setVariable.FindAllStringSubmatch(read(t, name), -1) {
				if _, ok := variables[match[1]]; !ok {
					t.Errorf("%s sets %s, which no Config declares", name, match[1])
				}
			}
		}
	})
}

// setVariable matches a line of a file from which kustomize generates a ConfigMap.
var setVariable = regexp.MustCompile(`(?m)^([A-Z][A-Z0-9_]*)=`)
