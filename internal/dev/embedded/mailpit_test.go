package embedded_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"orderbell/internal/dev/embedded"
	"orderbell/internal/dev/process"
)

func TestMailpit(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "mailpit")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/axllent/mailpit")
	build.Dir = filepath.Join("..", "..", "..", "tools")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build mailpit: %v\n%s", err, out)
	}
	t.Run("a missing binary is an error that says how to build it", func(t *testing.T) {
		t.Parallel()
		if _, err := embedded.NewMailpit(t.Context(), filepath.Join(t.TempDir(), "mailpit"), ""); err == nil ||
			!strings.Contains(err.Error(), "make tools") {
			t.Errorf("NewMailpit = %v, want an error that names make tools", err)
		}
	})
	t.Run("messages outlive a restart", func(t *testing.T) {
		t.Parallel()
		database := filepath.Join(t.TempDir(), "mail.db")
		first, running := start(t, binary, database)
		err := smtp.SendMail(strings.TrimPrefix(first.SMTPURL(), "smtp://"), nil, "shop@demo.example",
			[]string{"owner@demo.example"}, []byte("Subject: paid\r\n\r\nA-1042\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got := count(t, first); got != 1 {
			t.Fatalf("the server shows %d messages, want 1", got)
		}
		if err := running.Stop(limit); err != nil {
			t.Fatal(err)
		}
		second, _ := start(t, binary, database)
		if got := count(t, second); got != 1 {
			t.Errorf("the server shows %d messages after a restart, want 1", got)
		}
	})
}

// start returns a ready server, which is stopped with the test at the latest.
func start(t *testing.T, binary, database string) (*embedded.Mailpit, *process.Process) {
	t.Helper()
	m, err := embedded.NewMailpit(t.Context(), binary, database)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	p, err := m.Start(ctx, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(limit); err != nil {
			t.Error(err)
		}
	})
	return m, p
}

func count(t *testing.T, m *embedded.Mailpit) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, m.URL()+"/api/v1/messages", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var page struct {
		Total int `json:"total"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return page.Total
}
