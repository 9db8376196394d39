package devstack_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orderbell/cmd/orderbell/internal/devstack"
)

func open(t *testing.T, path string) *devstack.Dir {
	t.Helper()
	dir, err := devstack.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func shut(t *testing.T, dir *devstack.Dir) {
	t.Helper()
	if err := dir.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestADirectoryHasOneStackAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "dev")
	first := open(t, path)
	_, err := devstack.OpenDir(path)
	if err == nil || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) || !strings.Contains(err.Error(), "--data") {
		t.Errorf("OpenDir of a directory in use = %v, want an error that names the process and --data", err)
	}
	shut(t, first)
	shut(t, open(t, path))
}

func TestSecret(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	dir := open(t, path)
	first, err := dir.Secret()
	if err != nil {
		t.Fatal(err)
	}
	if len(first) < 32 {
		t.Errorf("the secret has %d bytes, want at least 32", len(first))
	}
	info, err := os.Stat(filepath.Join(path, "dev.secret"))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("others may read the secret: mode %o, want 600", got)
	}
	shut(t, dir)
	dir = open(t, path)
	second, err := dir.Secret()
	if err != nil {
		t.Fatal(err)
	}
	if first != second {
		t.Error("the secret changed from one start to the next")
	}
	if err := dir.Reset(); err != nil {
		t.Fatal(err)
	}
	third, err := dir.Secret()
	if err != nil {
		t.Fatal(err)
	}
	if third == second {
		t.Error("the secret is the same after a reset")
	}
	shut(t, dir)
}

func TestResetTakesOnlyOurs(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	theirs := filepath.Join(path, "thesis.tex")
	old := filepath.Join(path, "postgres", "pg18", "base")
	if err := errors.Join(os.WriteFile(theirs, nil, 0o600), os.MkdirAll(old, 0o700)); err != nil {
		t.Fatal(err)
	}
	dir := open(t, path)
	if err := dir.Reset(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(theirs); err != nil {
		t.Errorf("a reset deleted another file: %v", err)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a reset left the old data: %v", err)
	}
	shut(t, dir)
}

func TestState(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	want := devstack.State{Origin: "http://localhost:8080", Programs: map[string]devstack.Program{"order-api": {URL: "http://127.0.0.1:1", PID: 7}}}
	content, err := json.Marshal(want) //nolint:gosec // there is no secret in it
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(path, "dev.json")
	if _, err := devstack.ReadState(path); !errors.Is(err, devstack.ErrNotRunning) {
		t.Errorf("ReadState of an empty directory = %v, want %v", err, devstack.ErrNotRunning)
	}
	dir := open(t, path)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := devstack.ReadState(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	shut(t, dir)
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state is there after the stack: %v", err)
	}
	// A stack that was killed leaves its file, but the kernel takes its lock.
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := devstack.ReadState(path); !errors.Is(err, devstack.ErrNotRunning) {
		t.Errorf("ReadState after a kill = %v, want %v", err, devstack.ErrNotRunning)
	}
}
