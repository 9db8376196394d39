package main_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(all.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), all.String()); diff != "" {
		t.Errorf("help texts (-%s +program; UPDATE_GOLDEN=1 writes it):\n%s", golden, diff)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	stdout, stderr, status := run(t, nil, "version")
	if status != 0 || !strings.HasPrefix(stdout, "orderbell ") || !strings.Contains(stdout, ", commit ") || !strings.Contains(stdout, ", go1.") {
		t.Errorf("version: status %d, %q, %s", status, stdout, stderr)
	}
}
