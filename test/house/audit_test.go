package house_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// unpinned are the images that are pulled by a tag, each with the reason.
func unpinned() map[string]string {
	const forTrying = "a store of the kind overlay, for trying it out; nothing of production runs on it"
	return map[string]string{
		"axllent/mailpit:v1.27":        forTrying,
		"redis:8.2-alpine":             forTrying,
		"apache/kafka:4.1.0":           forTrying,
		"postgres:17.6":                forTrying,
		"edoburu/pgbouncer:v1.24.1-p1": "its digest is not known to us yet; docs/security.md says so",
	}
}

var (
	usesAction  = regexp.MustCompile(`(?m)^\s*(?:- )?uses: (\S+)(.*)$`)
	pinnedTo    = regexp.MustCompile(`^[\w./-]+@[0-9a-f]{40}$`)
	usesImage   = regexp.MustCompile(`(?m)^\s*(?:- )?(?:image|container|defaultBaseImage): "?([\w./-]+[:@][\w.:@-]+)`)
	pinnedImage = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)
)

// TestActionsAndImagesArePinned checks that actions and images are pinned by digest, so that a moved tag has no effect.
func TestActionsAndImagesArePinned(t *testing.T) {
	t.Parallel()
	actions, images := 0, 0
	known := unpinned()
	for _, name := range files(t) {
		if filepath.Ext(name) != ".yml" && filepath.Ext(name) != ".yaml" {
			continue
		}
		text := read(t, name)
		if strings.HasPrefix(name, ".github/") {
			for _, use := range usesAction.FindAllStringSubmatch(text, -1) {
				if strings.HasPrefix(use[1], "./") {
					continue // a workflow of this commit
				}
				actions++
				if !pinnedTo.MatchString(use[1]) || !strings.HasPrefix(use[2], " # v") {
					t.Errorf("%s uses %s%s, want owner/name@commit # version", name, use[1], use[2])
				}
			}
		}
		if !strings.HasPrefix(name, ".github/") && !strings.HasPrefix(name, "k8s/") && name != ".ko.yaml" {
			continue
		}
		for _, use := range usesImage.FindAllStringSubmatch(text, -1) {
			images++
			if _, ok := known[use[1]]; !ok && !pinnedImage.MatchString(use[1]) {
				t.Errorf("%s has the image %s, want name:tag@sha256:digest", name, use[1])
			}
		}
	}
	if actions == 0 || images < 3 {
		t.Errorf("found %d actions and %d images, want some of each", actions, images)
	}
}

// TestAuditReportsWhatItCannotCheck runs tools/audit.sh with fakes of the two tools.
func TestAuditReportsWhatItCannotCheck(t *testing.T) {
	t.Parallel()
	stand := func(output string, status int) string {
		name := filepath.Join(t.TempDir(), "tool")
		script := fmt.Sprintf("#!/bin/sh\ncat <<'END'\n%s\nEND\nexit %d\n", output, status)
		if err := os.WriteFile(name, []byte(script), 0o700); err != nil { //nolint:gosec // a program of this test
			t.Fatal(err)
		}
		return name
	}
	const noHost = `govulncheck: fetching vulnerabilities: Get "https://vuln.go.dev/index/modules.json.gz": dial tcp: lookup vuln.go.dev: no such host`
	fine := stand("No vulnerabilities found.", 0)
	for name, c := range map[string]struct {
		govulncheck, npm string
		status           int
		want             string
	}{
		"nothing is known":               {fine, fine, 0, "nothing is known against any dependency"},
		"a Go module is vulnerable":      {stand("Vulnerability #1: GO-2026-0001", 3), fine, 1, "VULNERABLE   govulncheck ."},
		"an npm package is vulnerable":   {fine, stand("1 high severity vulnerability", 1), 1, "VULNERABLE   npm audit frontend/package-lock.json"},
		"vuln.go.dev is unreachable":     {stand(noHost, 1), fine, 2, "NOT CHECKED  govulncheck ."},
		"the registry audits nothing":    {fine, stand("npm error 405 Method Not Allowed - POST /-/npm/v1/security/audits/quick", 1), 2, "NOT CHECKED  npm audit"},
		"one is unreachable, one is not": {stand(noHost, 1), stand("1 high severity vulnerability", 1), 1, "NOT CHECKED  govulncheck"},
		"a tool fails":                   {stand("govulncheck: loading packages: syntax error", 1), fine, 3, "FAILED       govulncheck"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), filepath.Join(root, "tools/audit.sh"))
			cmd.Env = append(os.Environ(), "GOVULNCHECK="+c.govulncheck, "NPM="+c.npm)
			out, err := cmd.CombinedOutput()
			status := 0
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				status = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			if status != c.status || !strings.Contains(string(out), c.want) {
				t.Errorf("exit code %d, want %d; said, want %q:\n%s", status, c.status, c.want, out)
			}
		})
	}
}
