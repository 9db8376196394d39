package contract_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/dev/programtest"
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

// start runs a program with the variables and returns when it is ready. It is stopped when the test ends.
func start(t *testing.T, binary string, variables ...string) *programtest.Program {
	t.Helper()
	p := programtest.Start(t, binary, append(slices.DeleteFunc(os.Environ(), isStore), append(variables,
		"LOG_FORMAT=text", "AUTH_DEV_SECRET="+secret, "AUTH_JWKS_URL=")...)...)
	t.Cleanup(func() {
		if err := p.Stop(patience); err != nil {
			t.Errorf("stop %s: %v", binary, err)
		}
	})
	return p.WaitReady(t)
}

// isStore says whether a variable names a server of the surroundings: a program has the stores that its test gives it.
func isStore(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return slices.Contains([]string{"DATABASE_URL", "REDIS_URL", "KAFKA_BROKERS", "SMTP_URL"}, name)
}

// token returns a token for a user of the tenant, as the programs that start runs take it.
func token(t *testing.T, tenant, userID string, expires time.Time) string {
	t.Helper()
	return authtest.Token(t, authtest.Config(secret), auth.Principal{
		UserID: userID, TenantID: tenant, Roles: []user.Role{user.Owner}, Expires: expires, TokenID: "contract",
	})
}
