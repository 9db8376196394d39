package house_test

import (
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	makeRule   = regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):(.*)$`)
	makeHelp   = regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):.*## \S`)
	makePhony  = regexp.MustCompile(`(?m)^\.PHONY: (.+)$`)
	makeUse    = regexp.MustCompile("(?m)(?:^\\s*|`|&& |\\$ )make ([a-z][a-z0-9-]*)")
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	codeSpan   = regexp.MustCompile("`([^`\n]+)`")
	pathInCode = regexp.MustCompile(`^[\w.@-]+(/[\w.@-]+)*/?$`)
)

func documents(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, name := range files(t) {
		if path.Ext(name) == ".md" {
			names = append(names, name)
		}
	}
	return names
}

func TestMakeTargets(t *testing.T) {
	t.Parallel()
	makefile := read(t, "Makefile") + read(t, "k8s/k8s.mk")
	targets := map[string]bool{}
	for _, m := range makeRule.FindAllStringSubmatch(makefile, -1) {
		targets[m[1]] = true
	}
	t.Run("each has a line of help", func(t *testing.T) {
		t.Parallel()
		helped := map[string]bool{}
		for _, m := range makeHelp.FindAllStringSubmatch(makefile, -1) {
			helped[m[1]] = true
		}
		for _, m := range makePhony.FindAllStringSubmatch(makefile, -1) {
			for _, target := range strings.Fields(m[1]) {
				if !helped[target] {
					t.Errorf("target %s has no ## help", target)
				}
			}
		}
	})
	t.Run("documents and scripts name existing ones", func(t *testing.T) {
		t.Parallel()
		for _, name := range append(documents(t), ".ci/run") {
			for _, m := range makeUse.FindAllStringSubmatch(read(t, name), -1) {
				if !targets[m[1]] {
					t.Errorf("%s names make %s, which does not exist", name, m[1])
				}
			}
		}
	})
}

func TestDocumentsNameWhatExists(t *testing.T) {
	t.Parallel()
	top := map[string]bool{}
	for _, name := range files(t) {
		first, _, _ := strings.Cut(name, "/")
		top[first] = true
	}
	for _, name := range documents(t) {
		text := read(t, name)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			if !exists(filepath.Join(path.Dir(name), target)) {
				t.Errorf("%s links %s, which does not exist", name, m[1])
			}
		}
		for _, m := range codeSpan.FindAllStringSubmatch(text, -1) {
			token := m[1]
			first, _, nested := strings.Cut(token, "/")
			if !pathInCode.MatchString(token) || !nested && path.Ext(token) == "" || !top[first] {
				continue // not a path of the tree: code, a route, a build output
			}
			if !exists(token) && !exists(filepath.Join(path.Dir(name), token)) {
				t.Errorf("%s names %s, which does not exist", name, token)
			}
		}
	}
}
