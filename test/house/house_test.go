// Package house_test checks rules that no linter has: which package may import which, that each environment variable is declared
// once and explained, that documents name only what exists. `make check` runs it.
package house_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the path of the top of the tree from this folder.
const root = "../.."

// pkg is a package of this module, as `go list` prints it.
type pkg struct {
	ImportPath   string
	Dir          string
	Name         string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
}

// path returns the package's folder relative to the top of the tree.
func (p pkg) path() string { return strings.TrimPrefix(p.ImportPath, "orderbell/") }

func packages(t *testing.T) []pkg {
	t.Helper()
	out := output(t, "go", "list", "-json=ImportPath,Dir,Name,GoFiles,TestGoFiles,XTestGoFiles,Imports", "./...")
	var all []pkg
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		t.Fatal("go list prints no package")
	}
	return all
}

// output runs a command at the top of the tree.
func output(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return out
}

// files returns the files of the tree that git tracks or does not ignore, relative to its top.
func files(t *testing.T) []string {
	t.Helper()
	out := output(t, "git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	names := slices.DeleteFunc(strings.Split(string(out), "\x00"), func(name string) bool {
		info, err := os.Stat(filepath.Join(root, name))
		return name == "" || err != nil || !info.Mode().IsRegular() // deleted, but not yet in git
	})
	if len(names) == 0 {
		t.Fatal("git lists no file")
	}
	return names
}

func read(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func exists(name string) bool {
	_, err := os.Stat(filepath.Join(root, name))
	return err == nil
}
