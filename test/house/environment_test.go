package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const envExample = ".env.example"

// declared returns where each environment variable is declared: the struct tags envconfig:"NAME" of the code.
func declared(t *testing.T) map[string][]string {
	t.Helper()
	places := map[string][]string{}
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
			if variable, ok := reflect.StructTag(text).Lookup("envconfig"); ok {
				places[variable] = append(places[variable], name)
			}
			return true
		})
	}
	if len(places) == 0 {
		t.Fatal("no environment variable is declared anywhere")
	}
	return places
}

var envLine = regexp.MustCompile(`^# ?([A-Z][A-Z0-9_]*)=|^([A-Z][A-Z0-9_]*)=`)

// explained returns the variables of .env.example that have words above them.
func explained(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	words := false
	for line := range strings.Lines(read(t, envExample)) {
		line = strings.TrimSpace(line)
		match := envLine.FindStringSubmatch(line)
		switch {
		case match != nil:
			name := match[1] + match[2]
			if !words {
				t.Errorf("%s: %s has no explanation above it", envExample, name)
			}
			if names[name] {
				t.Errorf("%s: %s is there twice", envExample, name)
			}
			names[name] = true
			words = false
		case line == "":
			words = false
		case strings.HasPrefix(line, "# ") && !strings.HasPrefix(line, "# ----"):
			words = true
		}
	}
	return names
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	places := declared(t)
	t.Run("each variable is declared once", func(t *testing.T) {
		t.Parallel()
		for name, where := range places {
			if len(where) != 1 {
				t.Errorf("%s is declared in %v", name, where)
			}
		}
	})
	t.Run("each variable is explained in .env.example, and no other", func(t *testing.T) {
		t.Parallel()
		words := explained(t)
		for name, where := range places {
			if !words[name] {
				t.Errorf("%s (%s) is not explained in %s", name, where[0], envExample)
			}
		}
		for name := range words {
			if places[name] == nil {
				t.Errorf("%s explains %s, which no Config declares", envExample, name)
			}
		}
	})
	t.Run("ConfigMaps and Secrets of k8s name declared variables only", func(t *testing.T) {
		t.Parallel()
		for _, name := range files(t) {
			if !strings.HasPrefix(name, "k8s/") || !strings.HasSuffix(name, ".yaml") {
				continue
			}
			for _, variable := range manifestVariables(t, name) {
				if places[variable] == nil {
					t.Errorf("%s sets %s, which no Config declares", name, variable)
				}
			}
		}
	})
}

// manifestVariables returns the environment variables that a manifest gives to a program of ours: the data of ConfigMaps
// with names of that form, and env entries.
func manifestVariables(t *testing.T, name string) []string {
	t.Helper()
	form := regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	var names []string
	decoder := yaml.NewDecoder(strings.NewReader(read(t, name)))
	for {
		var object struct {
			Kind     string            `yaml:"kind"`
			Data     map[string]string `yaml:"data"`
			Metadata struct {
				Labels map[string]string `yaml:"labels"`
			} `yaml:"metadata"`
		}
		if err := decoder.Decode(&object); err != nil {
			break // the end, or no Kubernetes object: manifests themselves are checked elsewhere
		}
		if object.Kind != "ConfigMap" || object.Metadata.Labels["app.kubernetes.io/part-of"] == "third-party" {
			continue
		}
		for key := range object.Data {
			if form.MatchString(key) {
				names = append(names, key)
			}
		}
	}
	return names
}
