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

// audit is the output of `orderbell verify --json`.
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

// checked returns the number of events, notifications, mails and stream entries that were compared.
func (a audit) checked() (n int64) {
	for _, c := range a.Checks {
		n += c.Looked
	}
	return n
}

// err returns nil if nothing is lost or duplicated.
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

// audit runs `orderbell verify` over the events after since, without the proxies. In Redis it expects the events after redisLost.
func (w *world) audit(ctx context.Context, since, redisLost time.Time) (a audit, err error) {
	args := []string{"verify", "--json", "--settle", "0s", "--limit", "1000000", "--since", since.UTC().Format(time.RFC3339Nano)}
	if !redisLost.IsZero() {
		args = append(args, "--feed-since", redisLost.UTC().Format(time.RFC3339Nano))
	}
	cmd := exec.CommandContext(ctx, filepath.Join(root, "bin", "orderbell"), args...)
	cmd.Env = append(os.Environ(), w.addresses...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, failed := cmd.Output()
	if err := json.Unmarshal(out, &a); err != nil {
		return a, fmt.Errorf("orderbell verify: %w (%w) %s", failed, err, stderr.String())
	}
	if (failed == nil) != (a.Total == 0) {
		return a, fmt.Errorf("orderbell verify counts %d offenders and ends with %w: %s", a.Total, failed, stderr.String())
	}
	return a, nil
}

// awaitClean repeats `orderbell verify` until it finds nothing or patience has passed, and returns the last result.
func (w *world) awaitClean(t *testing.T, since time.Time, patience time.Duration) (a audit, err error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		a, err = w.audit(t.Context(), since, w.redisLost)
		if err == nil {
			err = a.err()
		}
		if err == nil || time.Now().After(deadline) || !backoff.Sleep(t.Context(), time.Second) {
			return a, err
		}
	}
}

// verifyAll runs `orderbell verify` over the whole run. No mail is due at this point.
func (w *world) verifyAll(t *testing.T, r *report) {
	t.Helper()
	var err error
	if r.audit, err = w.awaitClean(t, r.started, patience); err != nil {
		t.Error(err)
	}
	for _, c := range r.audit.Checks {
		t.Logf("%s: %d checked, %d offenders", c.Name, c.Looked, c.Offenders)
	}
}
