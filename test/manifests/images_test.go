//go:build manifests

package manifests_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// artifact is an image that Skaffold builds.
type artifact struct {
	Image string `yaml:"image"`
	Ko    struct {
		Main         string            `yaml:"main"`
		Labels       map[string]string `yaml:"labels"`
		Dependencies struct {
			Paths []string `yaml:"paths"`
		} `yaml:"dependencies"`
	} `yaml:"ko"`
}

// artifacts returns the artifacts of skaffold.yaml, including those that its profiles add.
func artifacts(t *testing.T) []artifact {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "skaffold.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Build    struct{ Artifacts []artifact }
		Profiles []struct {
			Patches []struct {
				Path  string
				Value yaml.Node
			}
		}
	}
	if err := yaml.Unmarshal(content, &config); err != nil {
		t.Fatal(err)
	}
	all := config.Build.Artifacts
	for _, profile := range config.Profiles {
		for _, patch := range profile.Patches {
			if patch.Path != "/build/artifacts/-" {
				continue
			}
			var a artifact
			if err := patch.Value.Decode(&a); err != nil {
				t.Fatal(err)
			}
			all = append(all, a)
		}
	}
	return all
}

// TestImages checks that skaffold.yaml lists every file from which an image is built. Skaffold does not rebuild an image when a
// file changes that is not listed, and so deploys the old one.
func TestImages(t *testing.T) {
	t.Parallel()
	all := artifacts(t)
	if len(all) != len(programs())+1 { // and the command line, which migrates
		t.Errorf("skaffold.yaml has %d artifacts, want one for each of %v and orderbell", len(all), programs())
	}
	for _, a := range all {
		t.Run(a.Image, func(t *testing.T) {
			t.Parallel()
			made := append(compiled(t, filepath.Clean(a.Ko.Main)), ".ko.yaml", "go.mod", "go.sum")
			if a.Image == "frontend" {
				made = append(made, bundled(t)...)
			}
			for _, file := range made {
				if !listed(a.Ko.Dependencies.Paths, file) {
					t.Errorf("image %s is also built from %s, which its dependencies do not list", a.Image, file)
				}
			}
		})
	}
}

// TestImageLabels checks that an image that Skaffold builds says its version and its revision. test/house checks the labels of a
// release's images.
func TestImageLabels(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"org.opencontainers.image.version":  `{{cmd "git" "describe" "--tags" "--always" "--dirty"}}`,
		"org.opencontainers.image.revision": `{{cmd "git" "rev-parse" "HEAD"}}`,
	}
	for _, a := range artifacts(t) {
		if diff := cmp.Diff(want, a.Ko.Labels); diff != "" {
			t.Errorf("image %s has other labels (-want +got):\n%s", a.Image, diff)
		}
	}
}

// listed says whether file is one of paths, or in one of them.
func listed(paths []string, file string) bool {
	for _, p := range paths {
		if file == p || strings.HasPrefix(file, p+"/") {
			return true
		}
	}
	return false
}

// compiled returns the files of this tree that are in the program whose main is in dir.
func compiled(t *testing.T, dir string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Dir,Module,GoFiles,EmbedFiles", "./"+dir)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v", dir, err)
	}
	var files []string
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			Dir                 string
			Module              *struct{ Main bool }
			GoFiles, EmbedFiles []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module == nil || !p.Module.Main {
			continue
		}
		for _, name := range append(p.GoFiles, p.EmbedFiles...) {
			files = append(files, inTree(t, filepath.Join(p.Dir, name)))
		}
	}
	return files
}

// bundled returns the files that the page is built from.
func bundled(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"*.html", "*.ts", "package*.json", "tsconfig.json", "public/*", "src/*", "src/*/*"} {
		found, err := filepath.Glob(filepath.Join(root, "frontend", pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("frontend/%s does not exist: %v", pattern, err)
		}
		for _, name := range found {
			absolute, err := filepath.Abs(name)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, inTree(t, absolute))
		}
	}
	return files
}

// inTree returns an absolute name relative to the top of the tree.
func inTree(t *testing.T, name string) string {
	t.Helper()
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(top, name)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.ToSlash(relative)
}
