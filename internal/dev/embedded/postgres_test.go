package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/dev/embedded"
	"orderbell/internal/dev/waittest"
)

// patience is for a machine that others keep busy.
const patience = time.Minute

func startPostgres(t *testing.T, opts embedded.PostgresOptions) *embedded.Postgres {
	t.Helper()
	opts.NoSync = true
	opts.Log = t.Output()
	p, err := embedded.StartPostgres(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func query[T any](t *testing.T, address, sql string) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	var v T
	if err := conn.QueryRow(t.Context(), sql).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func execute(t *testing.T, address, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func isRefused(t *testing.T, address string) bool {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(t.Context(), "tcp", u.Host)
	if err == nil {
		_ = conn.Close()
	}
	return err != nil
}

func TestPostgresServesAndStops(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, embedded.PostgresOptions{})
	if got := query[string](t, p.URL(), "SHOW server_version_num"); !strings.HasPrefix(got, "18") {
		t.Errorf("server_version_num is %s, want 18…", got)
	}
	if got := query[string](t, p.URL(), "SHOW listen_addresses"); got != "127.0.0.1" {
		t.Errorf("listens on %s, want loopback only", got)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if !isRefused(t, p.URL()) {
		t.Error("the server still listens after Stop")
	}
	if err := p.Stop(); err != nil {
		t.Errorf("a second Stop: %v", err)
	}
}

func TestPostgresKeepsData(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	first := startPostgres(t, embedded.PostgresOptions{DataDir: dir})
	execute(t, first.URL(), "CREATE TABLE kept AS SELECT 42 AS n")
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	// What a server leaves that was killed with its machine: a lock file with the id of a process that lives.
	stale := filepath.Join(dir, "pg18", "postmaster.pid")
	if err := os.WriteFile(stale, []byte("1\n/nowhere\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	second := startPostgres(t, embedded.PostgresOptions{DataDir: dir})
	if got := query[int](t, second.URL(), "SELECT n FROM kept"); got != 42 {
		t.Errorf("the second start finds %d, want 42", got)
	}
}

func TestPostgresStartErrors(t *testing.T) {
	t.Parallel()
	t.Run("a directory in use", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "data")
		p := startPostgres(t, embedded.PostgresOptions{DataDir: dir})
		_, err := embedded.StartPostgres(t.Context(), embedded.PostgresOptions{DataDir: dir})
		want := fmt.Sprintf("%s is in use by another server (process %d)", dir, p.PID())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want …%s…", err, want)
		}
	})
	t.Run("data of another major version", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "pg17"), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := embedded.StartPostgres(t.Context(), embedded.PostgresOptions{DataDir: dir})
		if want := "holds data of PostgreSQL 17, this program runs 18"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want …%s…", err, want)
		}
	})
	t.Run("a port in use", func(t *testing.T) {
		t.Parallel()
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		_, err = embedded.StartPostgres(t.Context(), embedded.PostgresOptions{Port: l.Addr().(*net.TCPAddr).Port, NoSync: true})
		if want := "Address already in use"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want …%s…", err, want)
		}
	})
	t.Run("a setting that does not exist", func(t *testing.T) {
		t.Parallel()
		_, err := embedded.StartPostgres(t.Context(), embedded.PostgresOptions{NoSync: true, Settings: map[string]string{"no_such": "1"}})
		if want := `unrecognized configuration parameter "no_such"`; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want …%s…", err, want)
		}
	})
}

// childMode makes this test binary the parent that TestPostgresDiesWithItsParent kills.
const childMode = "EMBEDDED_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir, ok := os.LookupEnv(childMode); ok {
		p, err := embedded.StartPostgres(context.Background(), embedded.PostgresOptions{DataDir: dir, NoSync: true})
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(p.PID(), p.URL(), p.Dir())
		select {} // until killed
	}
	os.Exit(m.Run())
}

func TestPostgresDiesWithItsParent(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"throwaway", "kept"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := ""
			if name == "kept" {
				dir = filepath.Join(t.TempDir(), "data")
			}
			parent := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this very test binary
			parent.Env = append(os.Environ(), childMode+"="+dir)
			out, err := parent.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := parent.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			said := strings.Fields(line)
			if len(said) != 3 {
				t.Fatal(line)
			}
			pid, err := strconv.Atoi(said[0])
			if err != nil {
				t.Fatal(err)
			}
			if got := query[int](t, said[1], "SELECT 1"); got != 1 {
				t.Fatal("the child's server does not answer")
			}
			if err := parent.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = parent.Wait()
			if name == "kept" { // a start right after the kill waits for the old server, then has the data
				p := startPostgres(t, embedded.PostgresOptions{DataDir: dir})
				if diff := cmp.Diff(said[2], p.Dir()); diff != "" {
					t.Error(diff)
				}
			}
			waittest.Until(t, "the server's end", func() bool { return !isServer(pid) })
			if !isRefused(t, said[1]) {
				t.Error("something still listens at the dead parent's address")
			}
			if name == "throwaway" {
				waittest.Until(t, "the directory's removal", func() bool {
					_, err := os.Stat(said[2])
					return os.IsNotExist(err)
				})
			}
		})
	}
}

// isServer says whether the process runs; a zombie does not.
func isServer(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
