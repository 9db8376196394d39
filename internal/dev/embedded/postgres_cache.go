package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// The server's version: the newest that embedded-postgres knows. A new major needs a new data directory.
const (
	postgresVersion = embeddedpostgres.V18
	postgresMajor   = "18"
	clusterName     = "pg" + postgresMajor
)

// rootCache is the machine's cache directory (FHS 3.0 §5.5). Root's own cache is closed to the account that the server
// runs under.
const rootCache = "/var/cache/orderbell"

// postgresPrograms returns the folder with bin, lib and share, and downloads it if it does not exist. Several processes may call it
// at once: one downloads, and the others wait.
func postgresPrograms(ctx context.Context, cache string) (string, error) {
	if cache == "" {
		var err error
		if cache, err = defaultCache(); err != nil {
			return "", err
		}
	}
	programs := filepath.Join(cache, "postgres-"+string(postgresVersion))
	if exists(programs) { // it is renamed into place when whole
		return programs, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil { //nolint:gosec // the server's account must read it
		return "", fmt.Errorf("make the cache directory: %w", err)
	}
	if os.Geteuid() == 0 { // a narrow umask would keep the server's account out
		if err := os.Chmod(cache, 0o755); err != nil { //nolint:gosec // it holds programs, no secrets
			return "", fmt.Errorf("open the cache directory to all: %w", err)
		}
	}
	lock, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // our own cache, or the one that the caller names
	if err != nil {
		return "", fmt.Errorf("lock the cache directory: %w", err)
	}
	defer func() { _ = lock.Close() }() // and with it the lock
	if err := lockFile(ctx, lock); err != nil {
		return "", err
	}
	if exists(programs) {
		return programs, nil
	}
	return programs, fetchPostgres(cache, programs)
}

func defaultCache() (string, error) {
	if os.Geteuid() == 0 {
		return rootCache, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache directory: %w", err)
	}
	return filepath.Join(dir, "orderbell"), nil
}

// fetchPostgres downloads and unpacks the programs with the library. The library cannot do only that, so it gets a data directory
// with an impossible name: it fails after unpacking and before running anything.
func fetchPostgres(cache, programs string) (err error) {
	if cut, err := filepath.Glob(filepath.Join(cache, "fetch-*")); err == nil {
		for _, dir := range cut { // a process was killed while it fetched; we hold the lock
			if err := os.RemoveAll(dir); err != nil {
				return fmt.Errorf("remove a half-fetched PostgreSQL: %w", err)
			}
		}
	}
	temp, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return fmt.Errorf("fetch PostgreSQL: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	unpacked := filepath.Join(temp, "unpacked")
	err = embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().Version(postgresVersion).Port(0).Logger(io.Discard).
		CachePath(filepath.Join(temp, "archive")).RuntimePath(filepath.Join(temp, "runtime")).
		BinariesPath(unpacked).DataPath("\x00")).Start()
	if err == nil || !strings.HasPrefix(err.Error(), "unable to clean up data directory") {
		return fmt.Errorf("fetch PostgreSQL %s: %w", postgresVersion, err)
	}
	if err := readableByAll(unpacked); err != nil {
		return fmt.Errorf("unpack PostgreSQL: %w", err)
	}
	if err := os.Rename(unpacked, programs); err != nil {
		return fmt.Errorf("unpack PostgreSQL: %w", err)
	}
	return nil
}

// readableByAll undoes a narrow umask, so that the server's account can read its programs.
func readableByAll(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o444
		if mode&0o100 != 0 {
			mode |= 0o111
		}
		return os.Chmod(path, mode) //nolint:gosec // a folder that was made a moment ago and is known to us alone
	})
}
