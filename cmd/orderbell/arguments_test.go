package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	program "orderbell/cmd/orderbell"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/text"
	"orderbell/internal/text/texttest"
	"orderbell/internal/user"
)

// serveVariable makes the test binary run commands, many in one process.
const serveVariable = "ORDERBELL_TEST_SERVE"

// runCommand is a command to run: bytes, since arguments need not be UTF-8.
type runCommand struct {
	Args  [][]byte
	Limit time.Duration
}

// ranCommand is its result.
type ranCommand struct {
	Out, Err []byte
	Status   int
}

// serveCommands runs the commands of the standard input.
func serveCommands() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var c runCommand
		if in.Decode(&c) != nil {
			return
		}
		args := make([]string, len(c.Args))
		for i, a := range c.Args {
			args[i] = string(a)
		}
		ctx, cancel := context.WithTimeout(context.Background(), c.Limit)
		var stdout, stderr bytes.Buffer
		status := program.Execute(ctx, args, &stdout, &stderr)
		cancel()
		if out.Encode(ranCommand{stdout.Bytes(), stderr.Bytes(), status}) != nil {
			return
		}
	}
}

// commands runs commands in one process with the variables.
type commands struct {
	t   *testing.T
	in  *json.Encoder
	out *json.Decoder
	log *bytes.Buffer
}

func startCommands(t *testing.T, env ...string) commands {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this test
	cmd.Dir, cmd.Env = t.TempDir(), append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "ORDERBELL_TEST_") || strings.Contains(v, "_URL=")
	}), append(env, serveVariable+"=1")...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	return commands{t, json.NewEncoder(in), json.NewDecoder(out), log}
}

// run returns what the command says and its exit status. A panic ends the process, and the test.
func (c commands) run(limit time.Duration, args ...string) (stdout, stderr string, status int) {
	c.t.Helper()
	raw := make([][]byte, len(args))
	for i, a := range args {
		raw[i] = []byte(a)
	}
	var got ranCommand
	if err := c.in.Encode(runCommand{raw, limit}); err != nil {
		c.t.Fatal(err)
	}
	if err := c.out.Decode(&got); err != nil {
		rest, _ := io.ReadAll(c.log)
		c.t.Fatalf("orderbell %.300q ends the process: %v\n%s", args, err, rest)
	}
	return string(got.Out), string(got.Err), got.Status
}

// sampleArguments are the arguments of every command before one argument or flag is changed. Commands that would run for long
// stop early, since no orderbell dev runs.
func sampleArguments() map[string]string {
	const id = "01a2b3c4-0000-7000-8000-000000000001"
	return map[string]string{ //nolint:gosec // no password is among them
		"dev": "", "migrate up": "", "migrate down": "1", "migrate status": "", "tenant create": "--name Shop --owner-email ana@shop.example", "tenant list": "",
		"tenant limits": "demo set max_users=5", "source list": "", "source allow": "/tills --tenant demo", "source remove": "/tills --tenant demo",
		"device list": "--tenant demo", "device revoke": "Bar --tenant demo", "token": "--tenant demo --email owner@demo.example",
		"revoke": "--tenant demo --subject bridge", "audit": "", "tail": "--tenant demo", "load sse": "--tenant demo", "load orders": "--tenant demo",
		"deadletter list": "", "deadletter show": "3-42", "deadletter redrive": "3-42", "deadletter close": "3-42 --because test", "mail list": "",
		"mail show": id, "mail retry": id, "mail suppressions list": "ana@shop.example", "mail suppressions remove": "ana@shop.example",
		"verify": "--no-redis", "status": "--program x=http://127.0.0.1:1", "explain": "--reference A-1", "trace": "A-1", "plan": "", "version": "", "help": "migrate",
	}
}

// TestNoArgumentDoesWhatItDoesNotSay gives hostile values to every argument and flag of every command.
func TestNoArgumentDoesWhatItDoesNotSay(t *testing.T) {
	t.Parallel()
	redis, _ := feedtest.InMemory(t)
	address, empty := databasetest.URL(t), databasetest.EmptyURL(t)
	pool := databasetest.Open(t, address)
	for _, sql := range []string{
		`INSERT INTO tenants (id, name) VALUES ('demo', 'Demo')`,
		`INSERT INTO users (id, tenant_id, email, roles) VALUES (gen_random_uuid(), 'demo', 'owner@demo.example', '{owner}')`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"REDIS_URL=" + redis.URL(), "AUTH_DEV_SECRET=" + strings.Repeat("s", 32), "PORT=none"}
	whole, bare := startCommands(t, append(env, "DATABASE_URL="+address)...), startCommands(t, append(env, "DATABASE_URL="+empty)...)
	samples := sampleArguments()
	everyCommand(program.NewRoot(), func(cmd *cobra.Command) {
		path := strings.TrimPrefix(cmd.CommandPath(), "orderbell ")
		sample, known := samples[path]
		if !known {
			t.Errorf("%s has no sample of its arguments", path)
			return
		}
		c := whole
		if strings.HasPrefix(path, "migrate") {
			c = bare
		}
		began := time.Now()
		hostileArguments(t, c, cmd, strings.Fields(path), strings.Fields(sample))
		t.Logf("%s: %s", path, time.Since(began).Round(time.Millisecond))
	})
}

// everyCommand calls do for every command that does something.
func everyCommand(cmd *cobra.Command, do func(*cobra.Command)) {
	for _, sub := range cmd.Commands() {
		everyCommand(sub, do)
	}
	if cmd.Runnable() && !cmd.HasSubCommands() {
		do(cmd)
	}
}

// numbers are values that no flag of a number or of a duration accepts.
func numbers() []string {
	return []string{"9223372036854775808", "-9223372036854775809", "1e400", "9999999999h", "-1", "-1h", "1,5", "0x", "NaN", "-Inf", "+Inf", "１"}
}

// noMoments are values that no flag of a time accepts: the program could not print them, or would read them as an absent flag.
func noMoments() []string {
	return []string{"2026-02-30", "0001-01-01", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "2562047h47m16s", "1e9"}
}

// texts are values that are known to break programs. A command may accept one as text.
func texts() []string {
	return []string{
		"null", "-", "--", "'; DROP TABLE users; --", "%00", "%s%n", "../../etc/passwd", "a@localhost", strings.Repeat("a", 70) + "@shop.example", "a@-x", "=", "a=", "=?utf-8?q?A=0D=0A?=",
		"1e9", "9223372036854775807", "2562047h47m16s", "1.5", "0", "2026-02-30", "0001-01-01", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "http://[::1", "file:///etc/passwd",
		"%", `\`, `"`, "a,b", strings.Repeat("ü", 1000), "３-４２", "3-99999999999999999999", "99999999999-1", "max_users=9223372036854775807", "max_users=1e3", "en-u-nu-arab", "ZZZ", "Europe//Berlin",
	}
}

// hostileArguments gives hostile values to every flag and argument of one command.
func hostileArguments(t *testing.T, c commands, cmd *cobra.Command, path, sample []string) {
	t.Helper()
	refused := []string{"", "A\xff", "A\xed\xa0\x80", "A\x00", strings.Repeat("a", 20_000)}
	for _, bad := range texttest.Read(t).Refused {
		refused = append(refused, bad.Text)
	}
	try := func(named string, place func(value string) []string, kind string) {
		t.Helper()
		isText := kind == "string" || kind == "stringSlice"
		values := slices.Concat(refused, numbers(), texts())
		if path[0] == "plan" { // it has no text flags, and computes for long with accepted numbers
			values = slices.Concat(refused, numbers())
		}
		for _, value := range values {
			stdout, stderr, status := c.run(limitOf(path), place(value)...)
			what := fmt.Sprintf("orderbell %.200q", place(value))
			clean(t, what, stdout+stderr)
			mustRefuse := slices.Contains(refused, value) || !isText && slices.Contains(numbers(), value) || kind == "when" && slices.Contains(noMoments(), value) ||
				named == "--tenant" && !namesTenants(path, value)
			switch {
			case path[0] == "help" && named == "the argument" && status != 2:
				t.Errorf("%s: exit status %d, want 2, since there is no such topic", what, status)
			case mustRefuse && kind != "bool" && (status != 2 || !strings.Contains(stderr, named)):
				t.Errorf("%s: exit status %d, %.300s, want 2 and %s", what, status, stderr, named)
			case status < 0 || status > 2 || status > 0 && stderr == "":
				t.Errorf("%s: exit status %d, %.300s", what, status, stderr)
			case strings.Contains(stderr, "SQLSTATE") || strings.Contains(stderr, "unable to encode"):
				t.Errorf("%s: it is sent to the store: %.300s", what, stderr)
			case status == 2 && !strings.Contains(stderr, named) && !strings.Contains(stderr, strings.Trim(strconv.Quote(value[:min(len(value), 50)]), `"`)):
				t.Errorf("%s: exit status 2, %.300s, want it to name %s", what, stderr, named)
			}
		}
	}
	at := 0
	for ; at < len(sample) && !strings.HasPrefix(sample[at], "--"); at++ {
		try("the argument", func(value string) []string {
			args := slices.Clone(sample)
			args[at] = value
			flags := slices.IndexFunc(sample, func(s string) bool { return strings.HasPrefix(s, "--") })
			if flags < 0 {
				flags = len(sample)
			}
			return slices.Concat(path, args[flags:], []string{"--"}, args[:flags])
		}, "string")
	}
	flags := map[string]string{}
	for _, set := range []*pflag.FlagSet{cmd.LocalFlags(), cmd.InheritedFlags()} {
		set.VisitAll(func(f *pflag.Flag) {
			if f.Deprecated == "" { // such a flag has no effect
				flags[f.Name] = f.Value.Type()
			}
		})
	}
	for name, kind := range flags {
		try("--"+name, func(value string) []string { return slices.Concat(path, sample, []string{"--" + name + "=" + value}) }, kind)
	}
}

// namesTenants reports whether a command may take value as --tenant.
func namesTenants(path []string, value string) bool {
	switch strings.Join(path, " ") {
	case "load orders":
		return !slices.ContainsFunc(strings.Split(value, ","), func(id string) bool { return !user.IsTenantID(id) })
	case "audit":
		return value == user.NoTenant || user.IsTenantID(value)
	}
	return user.IsTenantID(value)
}

// limitOf bounds commands that run until they are stopped.
func limitOf(path []string) time.Duration {
	if path[0] == "tail" || path[0] == "load" {
		return 200 * time.Millisecond
	}
	return 20 * time.Second
}

// clean fails the test if the output controls a terminal or changes the direction of text.
func clean(t *testing.T, what, printed string) {
	t.Helper()
	for line := range strings.Lines(printed) {
		line = strings.NewReplacer("\u2068", "", "\u2069", "", "\n", "").Replace(line)
		if fault := text.Fault(line); strings.Contains(fault, "is invisible or changes") || fault == "is not UTF-8" {
			t.Errorf("%s prints %.200q, which %s", what, line, fault)
		}
	}
	if strings.Contains(printed, "goroutine ") {
		t.Errorf("%s panics: %s", what, printed)
	}
}
