//go:build chaos

package chaos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderbell/internal/backoff"
)

// audit is what `orderbell verify --json` answers.
type audit struct {
	Checks []struct {
		Name      string
		Looked    int64 `json:"looked_at"`
		Offenders int64
	}
	Total     int64 `json:"offenders_in_all"`
	Offenders []struct {
		Check   string
		EventID string `json:"event_id"`
		OrderID string `json:"order_id"`
		Tenant  string `json:"tenant_id"`
		UserID  string `json:"user_id"`
		Problem string
	}
}

// looked is how many events, notifications, e-mails and entries were compared in all.
func (a audit) looked() (n int64) {
	for _, c := range a.Checks {
		n += c.Looked
	}
	return n
}

// err is nil if nothing is lost or duplicated.
func (a audit) err() error {
	if a.Total == 0 {
		return nil
	}
	text := fmt.Sprintf("orderbell verify names %d offenders", a.Total)
	for _, o := range a.Offenders[:min(5, len(a.Offenders))] {
		text += fmt.Sprintf("; %s: tenant %s, order %s, event %s, user %s: %s", o.Check, o.Tenant, o.OrderID, o.EventID, o.UserID, o.Problem)
	}
	return fmt.Errorf("%s", text)
}

// audit runs `orderbell verify` over the events since then, past the proxies. Redis is asked for what came after forgot.
func (w *world) audit(ctx context.Context, since, forgot time.Time) (a audit, err error) {
	args := []string{"verify", "--json", "--settle", "0s", "--since", since.UTC().Format(time.RFC3339Nano)}
	if !forgot.IsZero() {
		args = append(args, "--feed-since", forgot.UTC().Format(time.RFC3339Nano))
	}
	cmd := exec.CommandContext(ctx, filepath.Join(root, "bin", "orderbell"), args...)
	cmd.Env = append(os.Environ(), w.addresses...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, failed := cmd.Output()
	if err := json.Unmarshal(out, &a); err != nil {
		return a, fmt.Errorf("orderbell verify: %w (%w) %s", failed, err, complaint.String())
	}
	if (failed == nil) != (a.Total == 0) {
		return a, fmt.Errorf("orderbell verify counts %d offenders and ends with %w: %s", a.Total, failed, complaint.String())
	}
	return a, nil
}

// awaitClean returns what `orderbell verify` finds once nothing offends, or when patience has passed.
func (w *world) awaitClean(t *testing.T, since time.Time, patience time.Duration) (a audit, err error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		a, err = w.audit(t.Context(), since, w.forgot)
		if err == nil {
			err = a.err()
		}
		if err == nil || time.Now().After(deadline) || !backoff.Sleep(t.Context(), time.Second) {
			return a, err
		}
	}
}

// verifyAll holds everything that the run left against everything else once more, when no e-mail is due any more.
func (w *world) verifyAll(t *testing.T, r *report) {
	t.Helper()
	var err error
	if r.audit, err = w.awaitClean(t, r.begun, patience); err != nil {
		t.Error(err)
	}
	for _, c := range r.audit.Checks {
		t.Logf("%s: %d looked at, %d offenders", c.Name, c.Looked, c.Offenders)
	}
}
