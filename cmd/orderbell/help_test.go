package main_test

import (
	"strings"
	"testing"

	"orderbell/internal/dev/goldentest"
)

// TestHelp compares the help of every command with one golden file, which a reviewer reads in one sitting.
// UPDATE_GOLDEN=1 writes the file.
func TestHelp(t *testing.T) {
	t.Parallel()
	const golden = "testdata/help.golden"
	var all strings.Builder
	var write func(command []string)
	write = func(command []string) {
		help, stderr, status := run(t, nil, append(command, "--help")...)
		if status != 0 || stderr != "" {
			t.Fatalf("orderbell %s --help: status %d, %s", strings.Join(command, " "), status, stderr)
		}
		all.WriteString("$ orderbell " + strings.Join(append(command, "--help"), " ") + "\n" + help + "\n")
		_, rest, _ := strings.Cut(help, "Available Commands:\n")
		for line := range strings.Lines(rest) {
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "  "), " ")
			if !strings.HasPrefix(line, "  ") {
				break
			}
			if name != "help" {
				write(append(append([]string{}, command...), name))
			}
		}
	}
	write(nil)
	goldentest.Compare(t, golden, all.String())
}

func TestVersion(t *testing.T) {
	t.Parallel()
	stdout, stderr, status := run(t, nil, "version")
	if status != 0 || !strings.HasPrefix(stdout, "orderbell ") || !strings.Contains(stdout, ", commit ") || !strings.Contains(stdout, ", go1.") {
		t.Errorf("version: status %d, %q, %s", status, stdout, stderr)
	}
}
