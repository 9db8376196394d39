//go:build chaos

package chaos_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// disk is a folder with a file system of its own, which can be full. With -short it is only a folder.
type disk struct{ dir string }

const roomy = "size=8g"

func newDisk(t *testing.T) *disk {
	t.Helper()
	dir, err := os.MkdirTemp("", "orderbell-disk") //nolint:usetesting // only root may enter t.TempDir's parent
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if testing.Short() {
		return &disk{dir}
	}
	ownMounts(t)
	if err := syscall.Mount("orderbell", dir, "tmpfs", 0, roomy); err != nil {
		t.Fatalf("mount a disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return &disk{dir}
}

// ownMounts fails the test if what it mounts would be mounted for the whole machine.
func ownMounts(t *testing.T) {
	t.Helper()
	if os.Getenv("CHAOS_MOUNTS") != "own" {
		t.Fatal("this test mounts file systems: `make chaos-failover`, as root, gives it a mount namespace and says so")
	}
}

// fill leaves no free page: it makes the file system almost as small as what is on it, and writes a file into the rest.
func (d *disk) fill(t *testing.T) {
	t.Helper()
	const rest = 1 << 20 // the kernel's count of used pages is not exact
	eventually(t, 10*time.Second, "the disk to be small", func() error {
		var s syscall.Statfs_t
		if err := syscall.Statfs(d.dir, &s); err != nil {
			return err
		}
		size := int64(s.Blocks-s.Bfree)*s.Bsize + rest //nolint:gosec // far below 2⁶³
		return syscall.Mount("orderbell", d.dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", size))
	})
	f, err := os.Create(d.filler())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // its content does not matter
	for page := make([]byte, os.Getpagesize()); err == nil; {
		_, err = f.Write(page)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill the disk: %v", err)
	}
}

func (d *disk) filler() string { return filepath.Join(d.dir, "filler") }

func (d *disk) free(t *testing.T) {
	t.Helper()
	err := syscall.Mount("orderbell", d.dir, "tmpfs", syscall.MS_REMOUNT, roomy)
	if err := errors.Join(err, os.Remove(d.filler())); err != nil {
		t.Fatalf("free the disk: %v", err)
	}
}

// fullFor fills the server's disk and frees it. It starts the server again if it has ended meanwhile, as a supervisor does.
func (e *episode) fullFor(s *server, d time.Duration) {
	e.t.Helper()
	s.disk.fill(e.t)
	e.hits++
	e.wait(d)
	ended := s.hasEnded()
	s.disk.free(e.t)
	e.t.Logf("%s's disk was full for %s; the server ended meanwhile: %t", s.name, d, ended)
	if ended {
		s.start(e.w.t)
	}
}

// fillPostgres fills the disk of PostgreSQL's primary: tables cannot grow, and then the log cannot, which ends the server.
func fillPostgres(e *episode) {
	if e.w.primary == nil {
		promotePostgres(e) // the first server's disk is the machine's
		e.hits--
		e.wait(2 * time.Second)
	}
	p := e.w.primary
	e.fullFor(p.server, 10*time.Second)
	eventually(e.t, patience, "PostgreSQL to accept rows", func() error {
		if p.hasEnded() {
			p.start(e.w.t) // it could not write until now
		}
		_, err := e.w.db.Exec(e.t.Context(), `SELECT pg_logical_emit_message(true, 'chaos', 'there is room')`)
		return err
	})
}

// fillRedis fills the disk of Redis's master. It refuses writes and PING, so the sentinels promote its replica.
func fillRedis(e *episode) {
	r := e.w.replicas
	old := r.awaitRedis(e.t, "none")
	e.fullFor(r.redis[old], 8*time.Second)
	r.awaitRedis(e.t, old)
	e.w.redisLost = time.Now()
}

// fillBroker fills the disk of a Kafka broker, which ends. The others have everything.
func fillBroker(e *episode) {
	e.fullFor(e.anyBroker(), 12*time.Second)
	e.w.replicas.awaitInSync(e.t)
}
