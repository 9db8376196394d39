package main_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"orderbell/cmd/orderbell/internal/status"
)

// checkStatus looks at a stack of which orderbell verify has just found two offenders: once as it is, and once with two
// stores that do not answer.
func (d *dev) checkStatus(t *testing.T, data string) {
	t.Helper()
	look := func(data string, env ...string) (map[string]status.Part, int) {
		t.Helper()
		began := time.Now()
		stdout, stderr, code := run(t, env, "status", "--data", data, "--timeout", "5s", "--json")
		var report status.Report
		if err := json.Unmarshal([]byte(stdout), &report); err != nil {
			t.Fatalf("status: %d %s%s", code, stdout, stderr)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("status took %s, though each part has 5s", took)
		}
		parts := map[string]status.Part{}
		for _, p := range report.Parts {
			parts[p.Name] = p
		}
		return parts, code
	}
	parts, code := look(data)
	if len(parts) != 8+4+6+1 || code != 1 {
		t.Errorf("%d parts, exit status %d: %+v", len(parts), code, parts)
	}
	for name, p := range parts {
		switch {
		case name == "verify":
			if p.State != status.Late || !strings.HasPrefix(p.Why, "2 offenders") {
				t.Errorf("verify: %+v", p)
			}
		case p.State != status.OK:
			t.Errorf("%s: %+v", name, p)
		case p.Kind == status.Queue && p.Waiting == nil:
			t.Errorf("%s: how many wait is not known", name)
		}
	}
	parts, code = look(data, "REDIS_URL=redis://127.0.0.1:1", "DATABASE_URL=postgres://nobody@127.0.0.1:1/orderbell")
	for name, want := range map[string]status.State{
		"redis": status.NotReady, "postgresql": status.NotReady, "outbox": status.Unknown, "due mails": status.Unknown, "verify": status.Unknown,
		"kafka": status.OK, "smtp": status.OK, "sse-gateway": status.OK, "open dead letters": status.OK, "consumer lag of order-paid": status.OK,
	} {
		if parts[name].State != want || code != 1 {
			t.Errorf("exit status %d, %s: %+v, want %s", code, name, parts[name], want)
		}
	}
	// As in a cluster: the environment alone says where everything is.
	parts, code = look(t.TempDir(), "DATABASE_URL="+d.state.DatabaseURL, "REDIS_URL="+d.state.RedisURL, "KAFKA_BROKERS="+d.state.Brokers, "SMTP_URL="+d.state.SMTPURL,
		"STATUS_PROGRAMS=sse-gateway="+d.state.Programs["sse-gateway"].URL+",outbox-relay=http://127.0.0.1:1",
		"STATUS_GROUPS=order-paid")
	for name, want := range map[string]status.State{
		"sse-gateway": status.OK, "outbox-relay": status.NotReady, "consumer lag of order-paid": status.OK, "postgresql": status.OK,
	} {
		if parts[name].State != want || code != 1 {
			t.Errorf("in a cluster: exit status %d, %s: %+v, want %s", code, name, parts[name], want)
		}
	}
	if len(parts) != 2+4+4+1 {
		t.Errorf("in a cluster: %d parts, want two programs, four stores, four queues and verify: %v", len(parts), parts)
	}
	stdout, _, _ := run(t, nil, "status", "--data", data)
	if !strings.Contains(stdout, "outbox-relay") || !strings.Contains(stdout, "2 offenders") {
		t.Errorf("as a table:\n%s", stdout)
	}
}

func TestStatusUsage(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"--timeout must be":   {"--timeout", "0s"},
		"or name a --program": nil,
	} {
		if _, stderr, code := run(t, nil, append([]string{"status"}, args...)...); code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("status %v: %d %q, want %q", args, code, stderr, want)
		}
	}
}
