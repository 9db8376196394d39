package events

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"orderbell/internal/store/database"
)

// servers are those of test/services/up.
type servers struct {
	database, redis, kafka, smtp, mailpit string // addresses
}

func serversOf(getenv func(string) string) (servers, error) {
	s := servers{
		database: getenv("DATABASE_URL"), redis: getenv("REDIS_URL"), kafka: getenv("KAFKA_BROKERS"),
		smtp: getenv("SMTP_URL"), mailpit: getenv("MAILPIT_URL"),
	}
	if s.database == "" || s.redis == "" || s.kafka == "" || s.smtp == "" || s.mailpit == "" {
		return servers{}, errors.New("DATABASE_URL, REDIS_URL, KAFKA_BROKERS, SMTP_URL and MAILPIT_URL must be set: start test/services/up and read .services/env")
	}
	return s, nil
}

const (
	tenants    = 50
	recipients = 4
)

// empty creates a database with the schema, and tenants with their users, and returns its address.
func (s servers) empty(ctx context.Context, bin string) (string, error) {
	const name = "orderbell_bench"
	admin, err := open(ctx, s.database, 1)
	if err != nil {
		return "", err
	}
	defer admin.Close()
	for _, sql := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name, "CHECKPOINT"} {
		if _, err := admin.Exec(ctx, sql); err != nil {
			return "", fmt.Errorf("make a database: %w", err)
		}
	}
	u, err := url.Parse(s.database)
	if err != nil {
		return "", errors.New("DATABASE_URL is not a URL")
	}
	u.Path = "/" + name
	address := u.String()
	migrate := exec.CommandContext(ctx, filepath.Join(bin, "orderbell"), "migrate", "up") //nolint:gosec // our own program
	migrate.Env = append(os.Environ(), "DATABASE_URL="+address)
	if out, err := migrate.CombinedOutput(); err != nil {
		return "", fmt.Errorf("migrate: %w\n%s", err, out)
	}
	pool, err := open(ctx, address, 1)
	if err != nil {
		return "", err
	}
	defer pool.Close()
	for _, sql := range []string{
		fmt.Sprintf(`INSERT INTO tenants (id, name) SELECT 'bench-' || n, 'Bench' FROM generate_series(1, %d) n`, tenants),
		fmt.Sprintf(`INSERT INTO users (id, tenant_id, email, roles, notification_email_enabled)
			SELECT gen_random_uuid(), 'bench-' || n, 'u' || m || '@bench' || n || '.example', '{cashier}', false
			FROM generate_series(1, %d) n, generate_series(1, %d) m`, tenants, recipients),
		`SELECT ensure_event_record_partitions(current_date - 45, current_date + 7)`,
		`ANALYZE`,
	} {
		if _, err := pool.Exec(ctx, sql); err != nil {
			return "", fmt.Errorf("fill the database: %w", err)
		}
	}
	return address, nil
}

// analyze updates the planner's statistics, as autovacuum does after a minute.
func analyze(ctx context.Context, address string) error {
	pool, err := open(ctx, address, 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, "VACUUM ANALYZE"); err != nil {
		return fmt.Errorf("analyze the tables: %w", err)
	}
	return nil
}

func open(ctx context.Context, address string, conns int) (*database.Pool, error) {
	return database.Open(ctx, database.Config{URL: address, MaxConns: int32(conns), ConnectTimeout: time.Minute, StatementTimeout: time.Minute}, "bench") //nolint:gosec,wrapcheck // few; it says what is wrong
}

// cpuOf returns the CPU time of all processes with one of the names, and of their children that have ended.
func cpuOf(names ...string) (time.Duration, error) {
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err //nolint:wrapcheck // a pattern that cannot be wrong
	}
	var sum time.Duration
	for _, file := range all {
		raw, err := os.ReadFile(file) //nolint:gosec // a process of /proc
		if err != nil {
			continue // it has ended
		}
		text := string(raw)
		name := text[strings.IndexByte(text, '(')+1 : strings.LastIndexByte(text, ')')]
		for _, wanted := range names {
			if name != wanted[:min(len(wanted), 15)] { // the kernel keeps 15 bytes
				continue
			}
			// The fields after the name begin with the third: utime to cstime are 14 to 17 (proc(5)).
			for _, ticks := range strings.Fields(text[strings.LastIndexByte(text, ')')+1:])[14-3 : 18-3] {
				n, err := strconv.Atoi(ticks)
				if err != nil {
					return 0, fmt.Errorf("read CPU time: %w", err)
				}
				sum += time.Duration(n) * time.Second / 100 // USER_HZ is 100 on every Linux that Go runs on
			}
		}
	}
	return sum, nil
}

// busy measures the CPU time of processes while do runs.
func busy(groups map[string][]string, do func() error) (map[string]time.Duration, error) {
	before := map[string]time.Duration{}
	for group, names := range groups {
		t, err := cpuOf(names...)
		if err != nil {
			return nil, err
		}
		before[group] = t
	}
	if err := do(); err != nil {
		return nil, err
	}
	for group, names := range groups {
		t, err := cpuOf(names...)
		if err != nil {
			return nil, err
		}
		before[group] = t - before[group]
	}
	return before, nil
}
