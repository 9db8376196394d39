package house_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestWorkflowsRunEveryStep(t *testing.T) {
	t.Parallel()
	steps := regexp.MustCompile(`(?m)^steps=\((.*)\)$`).FindStringSubmatch(read(t, ".ci/run"))
	if steps == nil {
		t.Fatal(".ci/run has no list of steps")
	}
	workflow := read(t, ".github/workflows/ci.yml")
	matrix := regexp.MustCompile(`step: \[(.*)\]`).FindStringSubmatch(workflow)
	if matrix == nil {
		t.Fatal("ci.yml has no matrix of steps")
	}
	// packages is part of each job; make builds what a step needs.
	both := strings.ReplaceAll(strings.TrimPrefix(steps[1], "packages tools build "), "+", " ") // of two at the same time, too
	want, got := strings.Fields(both), strings.Fields(strings.ReplaceAll(matrix[1], ",", ""))
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("ci.yml runs %s, .ci/run has %s", got, want)
	}
}

func TestCodeOwnersNameWhatExists(t *testing.T) {
	t.Parallel()
	owners := map[string]bool{}
	for line := range strings.Lines(read(t, ".github/CODEOWNERS")) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if fields[0] != "*" && !exists(fields[0]) {
			t.Errorf("CODEOWNERS names %s, which does not exist", fields[0])
		}
		for _, owner := range fields[1:] {
			owners[path.Base(owner)] = true
		}
	}
	for _, team := range []string{"backend", "frontend", "ops"} {
		if !owners[team] {
			t.Errorf("CODEOWNERS has nothing for %s", team)
		}
	}
}

// TestRelease runs the script of the release with fakes of ko and go that record their arguments.
func TestRelease(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stand := func(name, script string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script), 0o755); err != nil { //nolint:gosec // it is run
			t.Fatal(err)
		}
		return file
	}
	ko := stand("ko", `printf '%s\n' "$KO_DOCKER_REPO" "$@" >`+dir+`/called
while [ "$1" != --image-refs ]; do shift; done
echo registry.example/order-api@sha256:00 >"$2"
`)
	golang := stand("go", `while [ "$1" != -o ]; do shift; done
echo "$GOOS $GOARCH" >"$2"
`)
	changelog := dir + "/CHANGELOG.md"
	if err := os.WriteFile(changelog, []byte("## Unreleased\n\n- Later.\n\n## 0.1.0 (2026-11-29)\n\n- Orders.\n\n## 0.0.1\n\n- Before.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	release := func(version string) (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(root, "tools/release.sh"), version, "registry.example/orderbell", "https://code.example/orderbell", dir+"/out")
		cmd.Env = append(os.Environ(), "KO="+ko, "GO="+golang, "CHANGELOG="+changelog)
		said, err := cmd.CombinedOutput()
		return string(said), err
	}
	if said, err := release("v1"); err == nil || !strings.Contains(said, "want MAJOR.MINOR.PATCH") {
		t.Errorf("a bad version: %v, %s", err, said)
	}
	if said, err := release("99.0.0"); err == nil || !strings.Contains(said, `CHANGELOG.md has no section "## 99.0.0"`) {
		t.Errorf("a version without a changelog: %v, %s", err, said)
	}
	if said, err := release("0.1.0"); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if notes, err := os.ReadFile(dir + "/out/notes.md"); err != nil || strings.TrimSpace(string(notes)) != "- Orders." {
		t.Errorf("the notes are %q, %v", notes, err)
	}
	called, err := os.ReadFile(dir + "/called")
	if err != nil {
		t.Fatal(err)
	}
	commit := strings.TrimSpace(string(output(t, "git", "rev-parse", "HEAD")))
	for _, want := range []string{
		"registry.example/orderbell", "org.opencontainers.image.version=0.1.0", "org.opencontainers.image.revision=" + commit,
		"org.opencontainers.image.source=https://code.example/orderbell", "spdx", "./frontend", "./cmd/orderbell",
	} {
		if !strings.Contains("\n"+string(called), "\n"+want+"\n") {
			t.Errorf("ko was not called with %s: %s", want, called)
		}
	}
	for _, dir := range deployables(t) {
		if !strings.Contains(string(called), "\n./"+dir+"\n") {
			t.Errorf("the release has no image of %s", dir)
		}
	}
	sums, err := os.ReadFile(dir + "/out/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"images.txt", "orderbell-0.1.0-linux-amd64.tar.gz", "orderbell-0.1.0-darwin-arm64.tar.gz"} {
		if !strings.Contains(string(sums), want) {
			t.Errorf("SHA256SUMS lacks %s: %s", want, sums)
		}
	}
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = dir + "/out"
	if said, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, said)
	}
}
