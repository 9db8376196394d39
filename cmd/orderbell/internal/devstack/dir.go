package devstack

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Contents of the data directory.
const (
	lockName     = "dev.lock" // locked while a stack runs; holds its process id
	stateName    = "dev.json" // where everything is, while a stack runs
	secretName   = "dev.secret"
	senderName   = "sender.secret"
	postgresName = "postgres"   // the directories and files of the embedded stores
	kafkaName    = "kafka"      //
	mailName     = "mailpit.db" //
	ours         = 0o700        // tokens, passwords and orders are private
	oursAlone    = 0o600        //
)

// Dir is a data directory that is locked for one stack.
type Dir struct {
	path string
	lock *os.File
}

// OpenDir creates the data directory if necessary and locks it. The lock ends with the process, however that ends.
func OpenDir(path string) (*Dir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("make the data directory: %w; choose another one with --data", err)
	}
	if err := os.MkdirAll(abs, ours); err != nil {
		return nil, fmt.Errorf("make the data directory: %w; choose another one with --data", err)
	}
	lock, err := os.OpenFile(filepath.Join(abs, lockName), os.O_RDWR|os.O_CREATE, oursAlone) //nolint:gosec // the user names the directory
	if err != nil {
		return nil, fmt.Errorf("make the data directory: %w; choose another one with --data", err)
	}
	if err := tryLock(lock, syscall.LOCK_EX); err != nil {
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock the data directory %s: %w", path, err), lock.Close())
		}
		pid, _ := io.ReadAll(io.LimitReader(lock, 20))
		return nil, errors.Join(fmt.Errorf("another orderbell dev (process %s) runs on %s: stop it, or choose another directory with --data",
			strings.TrimSpace(string(pid)), path), lock.Close())
	}
	if err := writePID(lock); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the data directory %s: %w", path, err), lock.Close())
	}
	return &Dir{path: abs, lock: lock}, nil
}

func tryLock(f *os.File, how int) error {
	return syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}

// Close removes the state file and unlocks the directory.
func (d *Dir) Close() error {
	err := os.Remove(d.file(stateName))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if err = errors.Join(err, d.lock.Close()); err != nil {
		return fmt.Errorf("close the data directory: %w", err)
	}
	return nil
}

func (d *Dir) file(name string) string { return filepath.Join(d.path, name) }

// Reset removes only the files that a stack creates, so that a wrong --data deletes no other file.
func (d *Dir) Reset() error {
	trash, err := os.MkdirTemp(d.path, "reset-")
	if err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	// Rename first: the server of a stack that was just killed may still be writing.
	for _, name := range []string{postgresName, kafkaName, mailName, mailName + "-shm", mailName + "-wal", secretName, senderName, stateName} {
		if err := os.Rename(d.file(name), filepath.Join(trash, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("reset: %w", err)
		}
	}
	if err := os.RemoveAll(trash); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	return nil
}

// Secret returns the directory's secret for development tokens, which the first call makes.
func (d *Dir) Secret() (string, error) { return d.secret(secretName) }

// SenderSecret returns the directory's secret that the local broker and the functions share, which the first call makes.
func (d *Dir) SenderSecret() (string, error) { return d.secret(senderName) }

func (d *Dir) secret(name string) (string, error) {
	secret, err := readSecret(d.path, name)
	if !errors.Is(err, os.ErrNotExist) {
		return secret, err
	}
	random := make([]byte, 32) // what HS256 signs with
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("make a secret: %w", err)
	}
	secret = hex.EncodeToString(random)
	if err := os.WriteFile(d.file(name), []byte(secret+"\n"), oursAlone); err != nil {
		return "", fmt.Errorf("keep the secret: %w", err)
	}
	return secret, nil
}

func readSecret(dir, name string) (string, error) {
	content, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // the user names the directory
	if err != nil {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	return strings.TrimSpace(string(content)), nil
}
