package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// superuser is the one account inside the server.
const superuser = "orderbell"

// lockPatience is how long a start waits for the server of a process that was just killed.
const lockPatience = 10 * time.Second

// postgresDir is an open, locked data directory. It holds the file password and the folder pg<major>, which is
// PostgreSQL's own.
//
// The lock is a flock on the directory itself. The server inherits the descriptor, so the lock lasts until its last
// process has ended, even when we were killed: the holder of the lock may treat a postmaster.pid as stale.
type postgresDir struct {
	path      string
	file      *os.File
	throwaway bool
	viaFile   bool // the server may not be able to walk to path
}

func openPostgresDir(ctx context.Context, path string, noSync bool) (postgresDir, account, error) {
	d := postgresDir{path: path}
	var err error
	if path == "" {
		d.throwaway = true
		d.path, err = os.MkdirTemp(tempRoot(noSync), "orderbell-postgres-")
	} else if d.path, err = filepath.Abs(path); err == nil {
		err = os.MkdirAll(d.path, 0o700)
	}
	if err != nil {
		return d, account{}, fmt.Errorf("make the data directory: %w", err)
	}
	if d.file, err = os.Open(d.path); err != nil {
		return d, account{}, fmt.Errorf("open the data directory: %w", err)
	}
	who, err := d.claim(ctx)
	if err != nil {
		return d, account{}, errors.Join(err, d.file.Close())
	}
	return d, who, nil
}

// sharedMemory is Linux's file system in memory, where making a database takes a tenth of the time. A server and its
// test databases need some 100 MiB; a container's default of 64 MiB is too small.
const (
	sharedMemory    = "/dev/shm"
	minSharedMemory = 1 << 30
)

// tempRoot returns where a throwaway directory goes, "" for the system's default.
func tempRoot(noSync bool) string {
	var fs unix.Statfs_t
	if !noSync || runtime.GOOS != "linux" || unix.Statfs(sharedMemory, &fs) != nil {
		return ""
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < minSharedMemory || unix.Access(sharedMemory, unix.W_OK) != nil { //nolint:gosec // a block size is positive
		return ""
	}
	return sharedMemory
}

// claim locks the directory and gives it to the account that the server runs under.
func (d *postgresDir) claim(ctx context.Context) (account, error) {
	if err := d.lock(ctx); err != nil {
		return account{}, err
	}
	who, err := serverAccount(d.file)
	if err != nil {
		return account{}, err
	}
	d.viaFile = who.switched && runtime.GOOS == "linux"
	if who.switched {
		err = d.file.Chown(int(who.uid), int(who.gid))
	}
	if err = errors.Join(err, d.file.Chmod(0o700)); err != nil {
		return account{}, fmt.Errorf("prepare the data directory: %w", err)
	}
	if others, err := filepath.Glob(filepath.Join(d.path, "pg[0-9]*")); err == nil {
		for _, o := range others {
			if name := filepath.Base(o); name != clusterName && name != clusterName+".new" {
				return account{}, fmt.Errorf("%s holds data of PostgreSQL %s, this program runs %s: remove the directory or restore a dump into a new one",
					d.path, strings.TrimPrefix(name, "pg"), postgresMajor)
			}
		}
	}
	return who, nil
}

func (d *postgresDir) lock(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	if err := lockFile(ctx, d.file); err != nil {
		pid, _ := os.ReadFile(filepath.Join(d.path, clusterName, "postmaster.pid"))
		first, _, _ := strings.Cut(string(pid), "\n")
		return fmt.Errorf("%s is in use by another server (process %s): %w", d.path, first, err)
	}
	return nil
}

// lockFile takes an exclusive flock, asking again until ctx ends: a blocking flock could not be interrupted.
func lockFile(ctx context.Context, f *os.File) error {
	tick := time.NewTicker(5 * pollEvery)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lock %s: %w", f.Name(), ctx.Err())
		case <-tick.C:
		}
	}
}

// inherited is the number of the first of [exec.Cmd]'s ExtraFiles in the child.
const inherited = 3

// seen returns the path of the directory for the server. Another account may not have access to the parent directories (a clone
// below /root, a test's TempDir), so the path uses the inherited descriptor. The account owns only the directory itself.
func (d postgresDir) seen() string {
	if d.viaFile {
		return "/proc/self/fd/" + strconv.Itoa(inherited)
	}
	return d.path
}

func (d postgresDir) cluster() string { return filepath.Join(d.seen(), clusterName) }

// initialise makes a new cluster if the directory has no cluster, and clears what a killed server left. A half-made cluster has
// another name, so it is never taken for a whole one.
func (d postgresDir) initialise(ctx context.Context, programs string, who account, noSync bool) error {
	if exists(d.path, clusterName) {
		err := os.Remove(filepath.Join(d.path, clusterName, "postmaster.pid")) // we hold the lock: it is stale
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove a stale lock file: %w", err)
		}
		return nil
	}
	half := filepath.Join(d.path, clusterName+".new")
	if err := os.RemoveAll(half); err != nil {
		return fmt.Errorf("remove a half-made cluster: %w", err)
	}
	if err := d.writePassword(who); err != nil {
		return err
	}
	args := []string{
		"-D", filepath.Join(d.seen(), clusterName+".new"), "-U", superuser, "--pwfile", filepath.Join(d.seen(), "password"),
		"--auth=scram-sha-256", "--set=scram_iterations=1", // the password is random: stretching it only costs time
		"--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", // the same on every machine
		"--wal-segsize=1", "--no-instructions",
	}
	if noSync {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(programs, "bin", "initdb"), args...) //nolint:gosec // from our own cache
	who.run(cmd, d)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w:\n%s", err, strings.TrimSpace(string(out)))
	}
	if err := os.Rename(half, filepath.Join(d.path, clusterName)); err != nil {
		return fmt.Errorf("make a cluster: %w", err)
	}
	return nil
}

func (d postgresDir) writePassword(who account) error {
	name := filepath.Join(d.path, "password")
	if err := os.WriteFile(name, []byte(rand.Text()), 0o600); err != nil {
		return fmt.Errorf("write the server's password: %w", err)
	}
	if who.switched {
		if err := os.Chown(name, int(who.uid), int(who.gid)); err != nil {
			return fmt.Errorf("write the server's password: %w", err)
		}
	}
	return nil
}

func (d postgresDir) password() (string, error) {
	b, err := os.ReadFile(filepath.Join(d.path, "password"))
	if err != nil {
		return "", fmt.Errorf("read the server's password: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// ready says whether the server with this process id takes connections: the eighth line of postmaster.pid, which
// pg_ctl goes by too (src/include/utils/pidfile.h).
func (d postgresDir) ready(pid int) bool {
	b, err := os.ReadFile(filepath.Join(d.path, clusterName, "postmaster.pid"))
	lines := strings.Split(string(b), "\n")
	return err == nil && len(lines) >= 8 && lines[0] == strconv.Itoa(pid) && strings.TrimSpace(lines[7]) == "ready"
}

func (d postgresDir) close() error {
	err := d.file.Close()
	if d.throwaway {
		err = errors.Join(err, os.RemoveAll(d.path))
	}
	return err
}

// account is the account under which the server runs.
type account struct {
	switched bool // another one than ours
	uid, gid uint32
}

// serverAccount returns our own account, or as root an unprivileged one: the owner of the directory, else
// postgres, else nobody.
func serverAccount(dir *os.File) (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	info, err := dir.Stat()
	if err != nil {
		return account{}, fmt.Errorf("open the data directory: %w", err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 {
		return account{switched: true, uid: owner.Uid, gid: owner.Gid}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return account{switched: true, uid: uint32(uid), gid: uint32(gid)}, nil
		}
	}
	return account{}, errors.New("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody")
}

// run prepares cmd as a child that runs under a, has the directory as descriptor 3, does not receive a terminal's Ctrl-C, and ends
// with this process.
func (a account) run(cmd *exec.Cmd, d postgresDir) {
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"} // nothing of ours, such as PGDATA
	cmd.ExtraFiles = []*os.File{d.file}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if a.switched {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	how := syscall.SIGINT
	if d.throwaway {
		how = syscall.SIGQUIT
	}
	dieWithParent(cmd.SysProcAttr, how)
}
