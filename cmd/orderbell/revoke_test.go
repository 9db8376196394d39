package main_test

import (
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"orderbell/internal/feed/feedtest"
)

func TestRevoke(t *testing.T) {
	t.Parallel()
	url := "redis://" + miniredis.RunT(t).Addr()
	stdout, stderr, status := run(t, []string{"REDIS_URL=" + url}, "revoke", "--tenant", "demo", "--token-id", "t1", "--for", "1h")
	if status != 0 || !strings.Contains(stdout, "token t1 of tenant demo: revoked for 1h") {
		t.Fatalf("exit status %d, %q, %q", status, stdout, stderr)
	}
	all, err := feedtest.Open(t, feedtest.Config(url)).Revocations(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("revoked %+v, %v", all, err)
	}
	if r := all[0]; r.TenantID != "demo" || r.TokenID != "t1" || r.UserID != "" || time.Until(r.Until) < 50*time.Minute {
		t.Errorf("revoked %+v", r)
	}
}
