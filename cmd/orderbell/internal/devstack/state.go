package devstack

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// State has the addresses of a running stack: the file dev.json in its data directory, for `orderbell token`, tests and
// other tools. The file is there only while the stack is ready.
type State struct {
	PID         int                `json:"pid"`
	Origin      string             `json:"origin"`
	MailpitURL  string             `json:"mailpit_url"` // "" where SMTP_URL is set and MAILPIT_URL is not
	DatabaseURL string             `json:"database_url"`
	RedisURL    string             `json:"redis_url"`
	Brokers     string             `json:"kafka_brokers"`
	SMTPURL     string             `json:"smtp_url"`
	Secret      string             `json:"auth_dev_secret"`
	TracesURL   string             `json:"traces_url"` // "" where OTEL_EXPORTER_OTLP_ENDPOINT is set
	Operations  string             `json:"operations_url"`
	Programs    map[string]Program `json:"programs"`

	SenderSecret string `json:"event_sender_secret"`
}

// Program is the address and process of one program.
type Program struct {
	URL string `json:"url"`
	PID int    `json:"pid"` // 0 while it is down
}

// ErrNotRunning says that no stack runs on a data directory.
var ErrNotRunning = errors.New("no orderbell dev is ready")

// ReadState returns the state of the stack that runs on the data directory, or [ErrNotRunning].
func ReadState(dir string) (State, error) {
	content, err := os.ReadFile(filepath.Join(dir, stateName)) //nolint:gosec // the user names the directory
	if errors.Is(err, os.ErrNotExist) {
		return State{}, fmt.Errorf("%w in %s", ErrNotRunning, dir)
	}
	if err != nil {
		return State{}, fmt.Errorf("read the state of orderbell dev: %w", err)
	}
	lock, err := os.Open(filepath.Join(dir, lockName)) //nolint:gosec // the user names the directory
	if err != nil {
		return State{}, fmt.Errorf("read the state of orderbell dev: %w", err)
	}
	defer lock.Close() //nolint:errcheck // only read
	// A killed stack leaves its file. Its lock is gone.
	if err := tryLock(lock, syscall.LOCK_SH); !errors.Is(err, syscall.EWOULDBLOCK) {
		return State{}, fmt.Errorf("%w in %s", ErrNotRunning, dir)
	}
	var s State
	if err := json.Unmarshal(content, &s); err != nil {
		return State{}, fmt.Errorf("read the state of orderbell dev in %s: %w", filepath.Join(dir, stateName), err)
	}
	return s, nil
}

// writeState replaces the file atomically.
func (d *Dir) writeState(s State) error {
	content, err := json.MarshalIndent(s, "", "  ") //nolint:gosec // only the owner may read this file with the secret
	if err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	next := d.file(stateName + ".next")
	if err := os.WriteFile(next, append(content, '\n'), oursAlone); err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	if err := os.Rename(next, d.file(stateName)); err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	return nil
}
