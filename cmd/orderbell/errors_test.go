package main_test

import (
	"fmt"
	"strings"
	"testing"

	"orderbell/internal/dev/goldentest"
	"orderbell/internal/store/database/databasetest"
)

// unreachable is where no server listens.
var unreachable = []string{ //nolint:gochecknoglobals // a table
	"DATABASE_URL=postgres://orderbell@127.0.0.1:1/orderbell", "REDIS_URL=redis://127.0.0.1:1", "KAFKA_BROKERS=127.0.0.1:1", "SMTP_URL=smtp://127.0.0.1:1",
	"AUTH_DEV_SECRET=0123456789abcdef0123456789abcdef",
}

const unknownID = "0193b5a2-1c1e-7c3a-9d55-0a1b2c3d4e50"

// commandsThatFail are the kinds of errors of each command: how it was called, what is not set, what cannot be reached.
var commandsThatFail = []struct { //nolint:gochecknoglobals // a table
	env  []string
	args []string
}{
	{nil, []string{"deliver"}},
	{nil, []string{"dev", "--check", "--reset"}},
	{nil, []string{"migrate"}},
	{nil, []string{"migrate", "up", "--fast"}},
	{nil, []string{"migrate", "down", "1", "2"}},
	{nil, []string{"migrate", "down", "zero"}},
	{nil, []string{"migrate", "up"}},
	{unreachable, []string{"migrate", "up"}},
	{nil, []string{"tenant"}},
	{nil, []string{"tenant", "create", "--name", " Shop", "--owner-email", "a@b.example"}},
	{nil, []string{"tenant", "create", "--name", "喫茶", "--owner-email", "a@b.example"}},
	{nil, []string{"tenant", "create", "--name", "Shop", "--id", "{shop}", "--owner-email", "a@b.example"}},
	{nil, []string{"tenant", "create", "--name", "Shop"}},
	{nil, []string{"tenant", "create", "--name", "Shop", "--owner-email", "a@b.example", "--owner-name", "a\nb"}},
	{nil, []string{"tenant", "create", "--name", "Shop", "--owner-email", "a@b.example", "--currency", "EURO"}},
	{nil, []string{"tenant", "create", "--name", "Shop", "--owner-email", "a@b.example", "--time-zone", "Mars"}},
	{nil, []string{"tenant", "create", "--name", "Shop", "--owner-email", "a@b.example", "--locale", "e!"}},
	{nil, []string{"tenant", "create"}},
	{nil, []string{"tenant", "list"}},
	{unreachable, []string{"tenant", "list"}},
	{nil, []string{"tenant", "limits", "de mo"}},
	{nil, []string{"tenant", "limits", "demo", "set"}},
	{nil, []string{"tenant", "limits", "demo", "set", "max_tables=1"}},
	{nil, []string{"tenant", "limits", "demo", "set", "max_users"}},
	{nil, []string{"tenant", "limits", "demo", "set", "max_users=0"}},
	{nil, []string{"source", "allow", "/orderbell/order-api", "--tenant", "demo"}},
	{nil, []string{"source", "allow", "a b", "--tenant", "demo"}},
	{nil, []string{"source", "allow", "/tills", "--tenant", "de mo"}},
	{nil, []string{"device", "list", "--tenant", "de mo"}},
	{nil, []string{"token", "--tenant", "demo"}},
	{nil, []string{"token", "--tenant", "demo", "--email", "a@b.example", "--ttl", "0s"}},
	{nil, []string{"token", "--tenant", "demo", "--email", "a@b.example"}},
	{nil, []string{"revoke", "--tenant", "demo"}},
	{nil, []string{"revoke", "--tenant", "de mo", "--user", "u"}},
	{nil, []string{"revoke", "--tenant", "demo", "--subject", strings.Repeat("s", 256)}},
	{unreachable, []string{"revoke", "--tenant", "demo", "--user", "u"}},
	{nil, []string{"audit", "--tenant", "de mo"}},
	{nil, []string{"audit", "--limit", "0"}},
	{nil, []string{"tail"}},
	{nil, []string{"tail", "--tenant"}},
	{nil, []string{"tail", "--tenant", "de mo"}},
	{nil, []string{"tail", "--tenant", "demo", "--count", "-1"}},
	{nil, []string{"tail", "--tenant", "demo"}},
	{nil, []string{"tail", "--tenant", "demo", "--url", "http://127.0.0.1:1", "--token-file", "missing"}},
	{nil, []string{"load", "sse", "--tenant", "demo", "--clients", "0"}},
	{nil, []string{"load", "sse", "--tenant", "demo", "--orders", "NaN"}},
	{nil, []string{"load", "orders", "--new-tenants", "20000"}},
	{nil, []string{"load", "orders", "--tenant", "demo", "--new-tenants", "1"}},
	{nil, []string{"load", "orders", "--tenant", "de mo"}},
	{nil, []string{"load", "orders", "--tenant", "demo", "--rate", "0"}},
	{nil, []string{"load", "orders", "--tenant", "demo", "--for", "0s"}},
	{nil, []string{"deadletter", "redriven"}},
	{nil, []string{"deadletter", "show"}},
	{nil, []string{"deadletter", "show", "1-2", "1-3"}},
	{nil, []string{"deadletter", "redrive"}},
	{nil, []string{"deadletter", "redrive", "1-2", "--reason", "x"}},
	{nil, []string{"deadletter", "redrive", "--all", "--rate", "-1"}},
	{nil, []string{"deadletter", "redrive", "--all", "--since", "yesterday"}},
	{nil, []string{"deadletter", "close", "1-2"}},
	{nil, []string{"deadletter", "list"}},
	{nil, []string{"mail", "list", "--limit", "0"}},
	{nil, []string{"mail", "list", "--limit", "ten"}},
	{nil, []string{"mail", "list", "--limit", "99999999999999999999"}},
	{nil, []string{"mail", "list", "-x"}},
	{nil, []string{"mail", "list", "--status", "lost"}},
	{nil, []string{"mail", "retry"}},
	{nil, []string{"mail", "retry", unknownID, "--tenant", "demo"}},
	{nil, []string{"verify", "--window", "1h", "--since", "2h"}},
	{nil, []string{"verify", "--window", "0s"}},
	{nil, []string{"verify", "--window", "soon"}},
	{nil, []string{"verify", "now"}},
	{nil, []string{"verify", "---window"}},
	{nil, []string{"verify", "--settle", "-1s"}},
	{nil, []string{"verify", "--limit", "-1"}},
	{nil, []string{"verify", "--since", "1h", "--until", "2h"}},
	{nil, []string{"status", "--timeout", "0s"}},
	{nil, []string{"status", "--program", "gateway"}},
	{nil, []string{"status"}},
	{nil, []string{"explain"}},
	{nil, []string{"explain", "--order", "1042"}},
	{nil, []string{"explain", "--event", unknownID, "--tenant", "demo"}},
	{nil, []string{"trace", "A-1042"}},
}

// nothingMatches are commands that name what does not exist.
var nothingMatches = []string{ //nolint:gochecknoglobals // a table
	"verify --no-redis --tenant nowhere", "tail --url http://127.0.0.1:1 --tenant nowhere", "tail --url http://127.0.0.1:1 --tenant demo --user bo@demo.example",
	"explain --event " + unknownID, "explain --order " + unknownID, "explain --reference A-1042", "explain --mail " + unknownID, "trace " + unknownID, "trace A-1042",
	"tenant limits nowhere", "tenant create --name Demo --owner-email a@b.example --id other", "tenant create --name Other --id demo --owner-email a@b.example",
	"source allow /tills --tenant nowhere", "source remove /tills --tenant demo", "device list --tenant nowhere", "device revoke Bar --tenant demo",
	"token --tenant demo --email bo@demo.example", "audit --tenant demo", "mail list", "mail show " + unknownID, "mail retry " + unknownID, "mail retry --all",
	"mail suppressions list", "mail suppressions remove bo@demo.example",
}

// TestErrors compares what commands say when they fail with one golden file, which a reviewer reads in one sitting.
// UPDATE_GOLDEN=1 writes the file.
func TestErrors(t *testing.T) {
	t.Parallel()
	const golden = "testdata/errors.golden"
	address := databasetest.URL(t)
	if _, err := databasetest.Open(t, address).Exec(t.Context(), `INSERT INTO tenants (id, name) VALUES ('demo', 'Demo')`); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	add := func(what string, env, args []string) {
		t.Helper()
		_, stderr, status := run(t, env, args...)
		if status == 0 {
			t.Errorf("orderbell %s: it does not fail", strings.Join(args, " "))
		}
		_, _ = fmt.Fprintf(&all, "$ orderbell %s%s\n%s[exit status %d]\n\n", strings.Join(args, " "), what, stderr, status)
	}
	for _, c := range commandsThatFail {
		what := ""
		if c.env != nil {
			what = "    # no store can be reached"
		}
		add(what, c.env, c.args)
	}
	env := []string{"DATABASE_URL=" + address, "AUTH_DEV_SECRET=0123456789abcdef0123456789abcdef"}
	for _, args := range nothingMatches {
		add("    # with a database", env, strings.Fields(args))
	}
	goldentest.Compare(t, golden, all.String())
}
