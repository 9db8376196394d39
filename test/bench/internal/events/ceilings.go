package events

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// applySQL is the statement of a function. pgbench cannot generate UUIDs, so the script builds them from random numbers.
const applySQL = "internal/store/eventstore/apply.sql"

const pgbenchTitle = "pgbench, the same statement"

// pgbench runs the statement of a function once per transaction, with as many connections as the function.
func pgbench(ctx context.Context, s servers, o Options) ([]figure, error) {
	address, err := s.empty(ctx, o.Bin)
	if err != nil {
		return nil, err
	}
	statement, err := os.ReadFile(applySQL)
	if err != nil {
		return nil, fmt.Errorf("read the statement: %w", err)
	}
	const data = `'{"order_id":"0193b5a2-aaaa-7000-8000-000000000001","tenant_id":"bench-1","status":"paid","reference":"A-1042","total_amount":125000,"currency":"IDR","version":2,"timestamp":"2026-11-24T10:00:00Z"}'::jsonb`
	values := map[string]string{
		"event_days": "ARRAY[current_date]", "sources": "ARRAY['/orderbell/order-api']", "event_ids": "ARRAY[md5((:e::bigint)::text)::uuid]",
		"type": "'order_paid'::text", "tenant_ids": "ARRAY['bench-' || (:t)::text]", "order_ids": "ARRAY[md5((:e::bigint + 1)::text)::uuid]",
		"order_versions": "ARRAY[2]", "data_hashes": "ARRAY[sha256((:e::bigint)::text::bytea)]", "datas": "ARRAY[" + data + "]",
		"occurred": "ARRAY[now()]", "traceparents": "ARRAY['']", "tracestates": "ARRAY['']", "roles": "'{owner,manager,cashier}'::text[]", "mail_domain": "'bench.example'", "opt_in": "false",
	}
	var unknown error
	sql := regexp.MustCompile(`(?m)^--.*\n`).ReplaceAllString(string(statement), "")
	sql = regexp.MustCompile(`@[a-z_]+`).ReplaceAllStringFunc(sql, func(name string) string {
		v, ok := values[name[1:]]
		if !ok {
			unknown = fmt.Errorf("%s has a new argument %s", applySQL, name)
		}
		return v
	})
	if unknown != nil {
		return nil, unknown
	}
	script := filepath.Join(os.TempDir(), "orderbell-apply.pgbench")
	text := fmt.Sprintf("\\set e random(1, 9000000000000000)\n\\set t random(1, %d)\n%s;\n", tenants, sql)
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil { //nolint:gosec // the name is ours
		return nil, fmt.Errorf("write the script: %w", err)
	}
	defer os.Remove(script) //nolint:errcheck // a temporary file
	bench := func(length time.Duration) ([]byte, error) {
		return run(ctx, pgbenchPath(), "--no-vacuum", "--protocol=prepared", "--client="+strconv.Itoa(o.Conns), "--jobs=2",
			"--time="+strconv.Itoa(max(1, int(length.Seconds()))), "--file="+script, address)
	}
	if _, err := bench(o.For / 2); err != nil {
		return nil, err
	}
	if err := analyze(ctx, address); err != nil {
		return nil, err
	}
	var out []byte
	cpu, err := busy(map[string][]string{"PostgreSQL": {"postgres"}}, func() (err error) {
		out, err = bench(o.For)
		return err
	})
	if err != nil {
		return nil, err
	}
	rate, err := number(out, `tps = ([0-9.]+)`)
	if err != nil {
		return nil, err
	}
	done, err := number(out, `transactions actually processed: ([0-9]+)`)
	if err != nil {
		return nil, err
	}
	return []figure{
		{perSecond, pgbenchTitle, rate, "/s"},
		{postgresCPU, pgbenchTitle, cpu["PostgreSQL"].Seconds() * 1000 / done, "ms"},
	}, nil
}

// pgbenchPath finds pgbench, which Debian installs next to the server.
func pgbenchPath() string {
	if path, err := exec.LookPath("pgbench"); err == nil {
		return path
	}
	if all, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench"); len(all) > 0 {
		return all[len(all)-1]
	}
	return "pgbench"
}

// redisBenchmark runs the script that publishes, with as many connections as there are events in flight.
func redisBenchmark(ctx context.Context, s servers, o Options) ([]figure, error) {
	u, err := url.Parse(s.redis)
	if err != nil {
		return nil, errors.New("REDIS_URL is not a URL")
	}
	var script []byte
	for _, name := range []string{"sharded.lua", "publish.lua"} {
		part, err := os.ReadFile(filepath.Join("internal", "feed", name)) //nolint:gosec // the names are above
		if err != nil {
			return nil, fmt.Errorf("read the script: %w", err)
		}
		script = append(script, part...)
	}
	at := []string{"-h", u.Hostname(), "-p", u.Port()}
	sha, err := run(ctx, "redis-cli", append(at, "SCRIPT", "LOAD", string(script))...)
	if err != nil {
		return nil, err
	}
	count := int(20_000 * max(1, o.For.Seconds()/4))
	payload := strings.Repeat("x", 700)
	out, err := run(ctx, "redis-benchmark", append(at, "-q", "--csv", "-c", strconv.Itoa(o.InFlight), "-n", strconv.Itoa(count), "-r", "1000000000",
		"EVALSHA", strings.TrimSpace(string(sha)), "4", "orders:{bench}:stream", "orders:{bench}:event:__rand_int__", "orders:{bench}:tail", "orders:{bench}:bytes",
		"orders:{bench}", "id", payload, "900000", "4096", "auto", "8388608")...)
	if err != nil {
		return nil, err
	}
	rate, err := requestsPerSecond(out)
	if err != nil {
		return nil, err
	}
	return []figure{{perSecond, "redis-benchmark, the same script", rate, "/s"}}, nil
}

// requestsPerSecond reads the output of redis-benchmark --csv: the test, requests a second, and times.
func requestsPerSecond(csv []byte) (float64, error) { return number(csv, `(?s)^.*?","([0-9.]+)"`) }

func run(ctx context.Context, name string, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput() //nolint:gosec // a program of this benchmark
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return out, nil
}

// number returns the last number of a program's output that matches.
func number(out []byte, pattern string) (float64, error) {
	found := regexp.MustCompile(pattern).FindAllSubmatch(out, -1)
	if found == nil {
		return 0, fmt.Errorf("no %s in\n%s", pattern, out)
	}
	return strconv.ParseFloat(string(found[len(found)-1][1]), 64) //nolint:wrapcheck // the pattern has digits alone
}
