package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"

	"orderbell/internal/dev/process"
)

// Mailpit is the development mail server: it accepts every message and shows it on a page. It is a separate program
// that `make tools` builds.
type Mailpit struct {
	binary   string
	database string
	web      string // host:port of the page and the API
	smtp     string // host:port of the SMTP server
}

// NewMailpit returns a server on free loopback ports. It does not start it. Messages are stored in the file database;
// with "" they are lost when the server stops.
func NewMailpit(ctx context.Context, binary, database string) (*Mailpit, error) {
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("mail server: %w: build it with make tools, or set SMTP_URL", err)
	}
	m := &Mailpit{binary: binary, database: database}
	var err error
	if m.web, err = FreeAddr(); err != nil {
		return nil, err
	}
	if m.smtp, err = FreeAddr(); err != nil {
		return nil, err
	}
	return m, nil
}

// URL is the address of the page; the API lies under /api/v1.
func (m *Mailpit) URL() string { return "http://" + m.web }

// SMTPURL is the address for SMTP_URL.
func (m *Mailpit) SMTPURL() string { return "smtp://" + m.smtp }

// Command returns the command line that runs the server, for a supervisor.
func (m *Mailpit) Command() (binary string, args []string) {
	args = []string{
		"--listen", m.web, "--smtp", m.smtp, "--disable-version-check", "--smtp-disable-rdns", "--quiet",
		"--max", "0", // never drop a message, because checks count them
	}
	if m.database != "" {
		args = append(args, "--database", m.database)
	}
	return m.binary, args
}

// Ready returns nil once the server answers.
func (m *Mailpit) Ready(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.URL()+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("mail server: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("mail server: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("mail server: readyz answers %s", resp.Status)
	}
	return nil
}

// Start runs the server until it is stopped, without a supervisor, and returns when it is ready. Its output goes to
// log.
func (m *Mailpit) Start(ctx context.Context, log io.Writer) (*process.Process, error) {
	binary, args := m.Command()
	cmd := exec.Command(binary, args...) //nolint:gosec,noctx // the caller names the binary; Stop ends it, not ctx
	cmd.Stdout, cmd.Stderr = log, log
	p, err := process.Start(cmd)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if err = m.Ready(ctx); err == nil {
			return p, nil
		}
		select {
		case <-p.Done():
			return nil, fmt.Errorf("mail server stopped: %w", errors.Join(p.Err(), err))
		case <-ctx.Done():
			return nil, errors.Join(err, p.Stop(0))
		case <-tick.C:
		}
	}
}
