package contract_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/dev/embedded"
	"orderbell/internal/dev/process"
	"orderbell/internal/user"
)

const (
	patience = 2 * time.Minute // machines that run many packages' tests at once are slow
	tenant   = "demo"          // as in the examples
	secret   = "a development secret of the contract tests"
)

// build returns the program of a folder of the tree.
func build(t *testing.T, folder string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), filepath.Base(folder))
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./"+folder)
	cmd.Dir = "../../../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", folder, err, out)
	}
	return binary
}

// program is a running one.
type program struct {
	*process.Process
	address string
}

// start runs a program with the variables and returns when it is ready. It is stopped when the test ends.
func start(t *testing.T, binary string, variables ...string) program {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		p, log := launch(ctx, t, binary, variables)
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			if ready(ctx, p.address) {
				return p
			}
			select {
			case <-p.Done():
			case <-ctx.Done():
				t.Fatalf("%s is not ready after %s", binary, patience)
			case <-tick.C:
				continue
			}
			break
		}
		// Between finding a free port and listening on it, another program may have taken it.
		if !strings.Contains(log.String(), "address already in use") {
			t.Fatalf("%s ended before it was ready: %v", binary, p.Err())
		}
	}
}

// isStore says whether a variable names a server of the surroundings: a program has the stores that its test gives it.
func isStore(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return slices.Contains([]string{"DATABASE_URL", "REDIS_URL", "KAFKA_BROKERS", "SMTP_URL"}, name)
}

// launch runs a program on a free port. Its output is log's once it has ended.
func launch(ctx context.Context, t *testing.T, binary string, variables []string) (program, *strings.Builder) {
	t.Helper()
	addr, err := embedded.FreeAddr(ctx)
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary) //nolint:noctx // Stop ends it, and with this process it ends anyway
	cmd.Env = append(slices.DeleteFunc(os.Environ(), isStore), append(variables,
		"LISTEN_HOST="+host, "PORT="+port, "LOG_FORMAT=text", "AUTH_DEV_SECRET="+secret, "AUTH_JWKS_URL=")...)
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	p, err := process.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(patience); err != nil {
			t.Errorf("stop %s: %v", binary, err)
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(binary), log.String())
		}
	})
	return program{Process: p, address: "http://" + addr}, &log
}

func ready(ctx context.Context, address string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/healthz/ready", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close() // it is empty
	return resp.StatusCode == http.StatusNoContent
}

// token returns a token for a user of the tenant, as the programs that start runs take it.
func token(t *testing.T, tenant, userID string, expires time.Time) string {
	t.Helper()
	return authtest.Token(t, authtest.Config(secret), auth.Principal{
		UserID: userID, TenantID: tenant, Roles: []user.Role{user.Owner}, Expires: expires, TokenID: "contract",
	})
}
