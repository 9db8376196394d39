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
	return s.with(ctx, bin, tenants)
}

// with is empty with that many tenants.
func (s servers) with(ctx context.Context, bin string, tenants int) (string, error) {
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

// openGiven opens the pool that the environment describes, as in a program.
func openGiven(ctx context.Context) (*database.Pool, error) {
	conns, err := strconv.Atoi(os.Getenv("DATABASE_MAX_CONNS"))
	if err != nil {
		return nil, errors.New("DATABASE_MAX_CONNS is not a number")
	}
	return open(ctx, os.Getenv("DATABASE_URL"), conns)
}
