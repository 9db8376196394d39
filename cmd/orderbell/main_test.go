package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/cmd/orderbell/internal/seed"
	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

// binVariable names the folder of the programs under test, which TestMain builds once.
const binVariable = "ORDERBELL_TEST_BIN"

func TestMain(m *testing.M) {
	if os.Getenv(serveVariable) != "" {
		serveCommands()
		return
	}
	bin, err := os.MkdirTemp("", "orderbell-bin-")
	if err == nil {
		err = errors.Join(build(bin), os.Setenv(binVariable, bin))
	}
	code := 1
	if err == nil {
		code = m.Run()
	} else {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
	}
	_ = os.RemoveAll(bin)
	os.Exit(code)
}

func build(bin string) error {
	for _, in := range []struct {
		dir      string
		packages []string
	}{
		{".", []string{"./cmd/...", "./functions/...", "./outbox-relay", "./sse-gateway"}},
		{"tools", []string{"github.com/axllent/mailpit"}},
	} {
		cmd := exec.Command("go", append([]string{"build", "-o", bin + "/"}, in.packages...)...) //nolint:noctx // once, before all tests
		cmd.Dir = filepath.Join("..", "..", in.dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return errors.Join(err, errors.New(string(out)))
		}
	}
	return nil
}

// limit is generous: the machine may be busy.
const limit = 90 * time.Second

// orderbell returns the command with env and without the variables of real servers.
func orderbell(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*limit)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, filepath.Join(os.Getenv(binVariable), "orderbell"), args...) //nolint:gosec // what TestMain built
	cmd.Dir = t.TempDir()
	for _, variable := range os.Environ() {
		switch name, _, _ := strings.Cut(variable, "="); name {
		case "DATABASE_URL", "REDIS_URL", "KAFKA_BROKERS", "SMTP_URL", "MAILPIT_URL", "AUTH_DEV_SECRET", "AUTH_JWKS_URL", "PORT":
		default:
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// run returns the output of the command and its exit status.
func run(t *testing.T, env []string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := orderbell(t, env, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args   []string
		status int
		says   string // on stderr
	}{
		{[]string{"--help"}, 0, ""},
		{[]string{"deliver"}, 2, `"deliver" is not a command of orderbell: use one of audit`},
		{[]string{"migrate"}, 2, "missing subcommand: use one of down, status, up"},
		{[]string{"migrate", "sideways"}, 2, `"sideways" is not a command of orderbell migrate: use one of down, status, up`},
		{[]string{"migrate", "down", "zero"}, 2, `the number of steps must be 1 or more, not "zero"`},
		{[]string{"migrate", "down", "0"}, 2, `the number of steps must be 1 or more, not "0"`},
		{[]string{"migrate", "up", "--fast"}, 2, "--fast is not a flag of orderbell migrate up"},
		{[]string{"migrate", "up"}, 1, "DATABASE_URL"},
		{[]string{"token", "--tenant", "demo"}, 2, "--email is missing"},
		{[]string{"token", "--tenant", "demo", "--email", "a@b.example", "--ttl", "0s"}, 2, "--ttl must be 1s or more, not 0s"},
		{[]string{"token", "--tenant", "demo", "--email", "a@b.example"}, 1, "no orderbell dev is ready in "},
		{[]string{"revoke", "--tenant", "demo"}, 2, "give one of --user, --token-id"},
		{[]string{"revoke", "--tenant", "demo", "--user", "u", "--token-id", "t"}, 2, "give one of --user, --token-id"},
		{[]string{"revoke", "--tenant", "de mo", "--user", "u"}, 2, "--tenant must be the id of a tenant"},
		{[]string{"revoke", "--tenant", "demo", "--user", "u"}, 1, "no orderbell dev is ready in "},
		{[]string{"tail"}, 2, "--tenant is missing"},
		{[]string{"tail", "--tenant", "de mo"}, 2, "--tenant must be the id of a tenant"},
		{[]string{"tail", "--tenant", "demo", "--count", "-1"}, 2, "--count must be 0 or more, not -1"},
		{[]string{"tail", "--tenant", "demo"}, 1, "no orderbell dev is ready in "},
		{[]string{"load"}, 2, "missing subcommand: use one of orders, sse"},
		{[]string{"load", "sse", "--tenant", "demo", "--clients", "0"}, 2, "--clients must be from 1 to 1000000, not 0"},
		{[]string{"load", "sse", "--tenant", "demo", "--orders", "1e12"}, 2, "--orders must be 0, or from 0.01 to 1000, not 1e+12"},
		{[]string{"load", "sse", "--tenant", "demo", "--orders", "1e-12"}, 2, "--orders must be 0, or from 0.01 to 1000, not 1e-12"},
		{[]string{"load", "sse", "--tenant", "demo", "--orders", "NaN"}, 2, "not NaN"},
		{[]string{"load", "sse", "--tenant", "demo", "--url", "http://127.0.0.1:1"}, 1, "no orderbell dev is ready in "},
		{[]string{"tenant"}, 2, "create, limits, list"},
		{[]string{"tenant", "create", "--name", "Shop"}, 2, "--owner-email is missing"},
		{[]string{"tenant", "create", "--name", "Shop", "--owner-email", "Ana <a@b.example>"}, 2, "an e-mail address cannot have"},
		{[]string{"tenant", "create", "--name", " Shop", "--owner-email", "a@b.example"}, 2, `--name is " Shop"`},
		{[]string{"tenant", "create", "--name", "喫茶", "--owner-email", "a@b.example"}, 2, "give one by --id"},
		{[]string{"tenant", "create", "--name", "喫茶", "--id", "{kissa}", "--owner-email", "a@b.example"}, 2, `not "{kissa}"`},
		{[]string{"tenant", "create", "--name", "Shop", "--locale", "e!", "--owner-email", "a@b.example"}, 2, `--locale must be a language such as en or id, not "e!"`},
		{[]string{"tenant", "create", "--name", "Shop", "--owner-email", "a@b.example"}, 1, "no orderbell dev is ready in "},
		{[]string{"tenant", "list"}, 1, "no orderbell dev is ready in "},
		{[]string{"dev", "--check", "--reset"}, 2, "leave out --data and --reset"},
		{[]string{"dev", "now"}, 2, `leave out "now": orderbell dev takes no arguments`},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel()
			_, stderr, status := run(t, nil, c.args...)
			if status != c.status || !strings.Contains(stderr, c.says) {
				t.Errorf("exit status %d and %q, want %d and %q", status, stderr, c.status, c.says)
			}
		})
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	env := []string{"DATABASE_URL=" + databasetest.EmptyURL(t)}
	version := func() uint {
		t.Helper()
		stdout, stderr, status := run(t, env, "migrate", "status", "--json")
		if status != 0 {
			t.Fatal(stderr)
		}
		var s struct {
			Version uint `json:"version"`
			Needs   uint `json:"needs"`
			Steps   []struct {
				Applied bool `json:"applied"`
			} `json:"steps"`
		}
		if err := json.Unmarshal([]byte(stdout), &s); err != nil {
			t.Fatal(err)
		}
		applied := uint(0)
		for _, step := range s.Steps {
			if step.Applied {
				applied++
			}
		}
		if s.Needs != database.Latest() || applied != s.Version {
			t.Errorf("status is %s, want %d steps and as many applied as its version", stdout, database.Latest())
		}
		return s.Version
	}
	if got := version(); got != 0 {
		t.Errorf("an empty database is at version %d", got)
	}
	if stdout, stderr, status := run(t, env, "migrate", "up"); status != 0 || !strings.Contains(stdout, "applied 000001 create_tenants") {
		t.Fatalf("migrate up: %d %s %s", status, stdout, stderr)
	}
	if got := version(); got != database.Latest() {
		t.Errorf("after up the version is %d, want %d", got, database.Latest())
	}
	if stdout, _, status := run(t, env, "migrate", "up"); status != 0 || !strings.Contains(stdout, "nothing to do") {
		t.Errorf("a second up: %d %q, want nothing to do", status, stdout)
	}
	if stdout, _, _ := run(t, env, "migrate", "status"); !strings.Contains(stdout, "000001  create_tenants") {
		t.Errorf("status as a table is %q", stdout)
	}
	if _, stderr, status := run(t, env, "migrate", "down", "2"); status != 0 {
		t.Fatal(stderr)
	}
	if got, want := version(), database.Latest()-2; got != want {
		t.Errorf("after down 2 the version is %d, want %d", got, want)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	businesses, err := seed.Apply(t.Context(), userstore.New(databasetest.Open(t, address)), seed.Demo())
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Repeat("s", 32)
	env := []string{"DATABASE_URL=" + address, "AUTH_DEV_SECRET=" + secret}
	stdout, stderr, status := run(t, env, "token", "--tenant", "demo", "--email", "Kitchen@demo.example", "--ttl", "1h")
	if status != 0 {
		t.Fatal(stderr)
	}
	verifier := authtest.Verifier(t, authtest.Config(secret))
	got, err := verifier.Verify(strings.TrimSpace(stdout))
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(got.Expires); left < 50*time.Minute || left > time.Hour {
		t.Errorf("the token is good for %s, want 1h", left)
	}
	kitchen := businesses[0].Users[3]
	want := auth.Principal{
		UserID: kitchen.ID, TenantID: "demo", Roles: []user.Role{user.Kitchen}, Expires: got.Expires,
		Issued: got.Issued, TokenID: got.TokenID,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, stderr, status = run(t, env, "token", "--tenant", "demo", "--email", "nobody@demo.example"); status != 1 ||
		!strings.Contains(stderr, "tenant demo has no user nobody@demo.example") {
		t.Errorf("a user that is not there: %d %q", status, stderr)
	}
}
