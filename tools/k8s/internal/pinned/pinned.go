// Package pinned fetches Go modules for their files, by the versions and checksums of a list.
package pinned

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Module is a line of the list: name@version, its checksum as in a go.sum, and patterns of files in it.
type Module struct {
	Name     string // with the version
	Sum      string
	Patterns []string
}

// Read reads a list: one module a line, # begins a comment.
func Read(file string) ([]Module, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read list of modules: %w", err)
	}
	var all []Module
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) < 2 {
			return nil, fmt.Errorf("%s: %q has no checksum", file, line)
		}
		all = append(all, Module{Name: fields[0], Sum: fields[1], Patterns: fields[2:]})
	}
	return all, nil
}

// Fetch downloads m unless it is there, checks it and returns its folder.
func (m Module) Fetch(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", m.Name)
	cmd.Dir = os.TempDir() // outside of any module, whose graph would have a say
	out, err := cmd.Output()
	var got struct{ Dir, Sum, Error string }
	if jsonErr := json.Unmarshal(out, &got); jsonErr != nil {
		return "", fmt.Errorf("download %s: %w", m.Name, errors.Join(err, jsonErr))
	}
	switch {
	case got.Error != "":
		return "", fmt.Errorf("download %s: %s", m.Name, got.Error)
	case got.Sum != m.Sum:
		return "", fmt.Errorf("%s has the checksum %s, want %s", m.Name, got.Sum, m.Sum)
	}
	return got.Dir, nil
}
