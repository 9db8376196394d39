//go:build chaos

package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"orderbell/internal/dev/programtest"
)

// standby is a PostgreSQL server that replicates the primary, which the programs use.
type standby struct {
	*server

	address string
	link    *proxy // between it and its primary
}

// startStandby copies the primary and starts replication. If it is synchronous, the primary acknowledges a commit only when
// the standby has it. env is added to its environment.
func (w *world) startStandby(t *testing.T, synchronous bool, env ...string) *standby {
	t.Helper()
	bin := postgresBin(t)
	s := &standby{link: newProxy(w.t, w.own.currentTarget())}
	disk := newDisk(w.t)
	data := disk.dir
	port := programtest.Port(t)
	s.address = "127.0.0.1:" + port
	var as []string
	if os.Geteuid() == 0 { // PostgreSQL refuses to run as root
		as = []string{"setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"}
		chown(t, data)
	}
	host, primaryPort, _ := strings.Cut(s.link.address, ":")
	backup := append(append([]string{}, as...), filepath.Join(bin, "pg_basebackup"), "-h", host, "-p", primaryPort, "-U", "orderbell",
		"-D", data, "-R", "-X", "stream", "-c", "fast")
	cmd := exec.CommandContext(t.Context(), backup[0], backup[1:]...)
	cmd.Dir = "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("copy the primary: %v\n%s", err, out)
	}
	forgetStandbys(t, data)
	s.server = &server{name: "standby", dir: "/", disk: disk, command: append(slices.Concat(as, []string{"env"}, env), filepath.Join(bin, "postgres"), "-D", data,
		"-p", port, "-h", "127.0.0.1", "-k", "", "-c", "max_connections=300", "-c", "shared_buffers=256MB", "-c", "cluster_name=standby",
		"-c", "wal_receiver_timeout=5s")}
	s.start(w.t)
	w.t.Cleanup(func() { s.kill() })
	if synchronous {
		w.exec(t, `ALTER SYSTEM SET synchronous_standby_names = 'standby'`)
		w.exec(t, `SELECT pg_reload_conf()`)
	}
	want := map[bool]string{true: "sync", false: "async"}[synchronous]
	eventually(t, patience, "the standby to follow", func() error {
		var state, sync string
		if err := w.db.QueryRow(t.Context(), `SELECT state, sync_state FROM pg_stat_replication WHERE application_name = 'standby'`).Scan(&state, &sync); err != nil {
			return err
		}
		if state != "streaming" || sync != want {
			return fmt.Errorf("it is %s, %s", state, sync)
		}
		return nil
	})
	return s
}

// forgetStandbys clears synchronous_standby_names in the copy. The primary may wait for a standby, and the copy must not once it
// is promoted. The setting is in the file and not an argument of the server, because ALTER SYSTEM could not override an
// argument, and this server may get a standby itself later.
func forgetStandbys(t *testing.T, data string) {
	t.Helper()
	settings, err := os.OpenFile(filepath.Join(data, "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = settings.WriteString("synchronous_standby_names = ''\n")
	if err := errors.Join(err, settings.Close()); err != nil {
		t.Fatal(err)
	}
}

// promote makes the standby the primary for every new connection.
func (w *world) promote(t *testing.T, s *standby) {
	t.Helper()
	bin := postgresBin(t)
	_, port, _ := strings.Cut(s.address, ":")
	psql := func(sql string) (string, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
		defer cancel()
		out, err := exec.CommandContext(ctx, filepath.Join(bin, "psql"), "-XAtq", "-h", "127.0.0.1", "-p", port, "-U", "orderbell", "-d", "orderbell", "-c", sql).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := psql(`SELECT pg_promote(true, 30)`); err != nil || out != "t" {
		t.Fatalf("promote the standby: %v %s", err, out)
	}
	if out, err := psql(`SELECT pg_is_in_recovery()`); err != nil || out != "f" {
		t.Fatalf("the promoted standby is still in recovery: %v %s", err, out)
	}
	for _, p := range w.toPrimary {
		p.setTarget(s.address)
	}
	w.own.cut()
	w.primary = s
}

// endPrimary kills the old primary: a promoted standby, or the first server if old is nil.
func (w *world) endPrimary(t *testing.T, old *standby) {
	t.Helper()
	if old != nil {
		old.kill()
		return
	}
	w.script(t, "down", "--kill", "postgres")
}

// promotePostgres kills the primary and promotes its synchronous standby, which has every acknowledged commit.
func promotePostgres(e *episode) {
	old := e.w.primary
	s := e.w.startStandby(e.t, true)
	e.wait(time.Second)
	e.w.endPrimary(e.t, old)
	e.hits++
	e.w.promote(e.t, s)
}

// isolatePostgres cuts the primary off from its synchronous standby and promotes the standby. For ten seconds the programs' open
// connections stay with the old primary, which acknowledges no commit.
func isolatePostgres(e *episode) {
	old := e.w.primary
	s := e.w.startStandby(e.t, true)
	e.wait(time.Second)
	s.link.hold(up, down)
	e.hits++
	e.w.promote(e.t, s)
	e.wait(10 * time.Second)
	e.w.endPrimary(e.t, old)
	s.link.release()
}

func postgresBin(t *testing.T) string {
	t.Helper()
	all, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(all) == 0 {
		t.Fatalf("no PostgreSQL server under /usr/lib/postgresql: %v", err)
	}
	return filepath.Dir(all[len(all)-1])
}

// chown makes the user postgres the owner of the folder.
func chown(t *testing.T, dir string) {
	t.Helper()
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err, err2, os.Chown(dir, uid, gid), os.Chmod(dir, 0o700)); err != nil { //nolint:gosec // PostgreSQL demands 0700
		t.Fatal(err)
	}
}
