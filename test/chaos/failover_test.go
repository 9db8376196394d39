//go:build chaos

package chaos_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"time"

	"orderbell/internal/dev/programtest"

	"github.com/redis/go-redis/v9"
)

// failOverPostgres makes open sessions read-only while new ones can write, as after a failover with a virtual address that
// leaves old connections open. At the end it undoes this.
func failOverPostgres(e *episode) {
	conn, err := e.w.db.Acquire(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	defer conn.Release()
	do := func(statements ...string) {
		for _, sql := range statements {
			if _, err := conn.Exec(context.WithoutCancel(e.t.Context()), sql); err != nil {
				e.t.Errorf("%s: %v", sql, err)
			}
		}
	}
	do("SET default_transaction_read_only = off")
	defer do("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()",
		"ALTER ROLE orderbell IN DATABASE orderbell RESET default_transaction_read_only")
	do("ALTER ROLE orderbell IN DATABASE orderbell SET default_transaction_read_only = off",
		"ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
	e.hits++
	e.awaitOwnRecovery()
}

// awaitOwnRecovery returns when the programs have recovered while the fault still lasts: they accept and record orders
// again, and every watcher's list has them. If the fault ended earlier, its end would do what the programs have to do.
func (e *episode) awaitOwnRecovery() {
	e.t.Helper()
	started := time.Now()
	count := func() (n int, err error) {
		err = e.w.db.QueryRow(e.t.Context(), `SELECT count(*) FROM outbox WHERE tenant_id = ANY ($1)`, ids(e.tenants)).Scan(&n)
		return n, err
	}
	e.wait(time.Second) // the requests in flight at the switch end
	first, err := count()
	if err != nil {
		e.t.Fatal(err)
	}
	const some = 50 // a quarter of a second's orders
	eventually(e.t, patience, "orders to be accepted during the fault", func() error {
		if n, err := count(); err != nil || n < first+some {
			return fmt.Errorf("%d were accepted, error %w", n-first, err)
		}
		return nil
	})
	if _, late := e.awaitRecovery(time.Now()); late != nil {
		e.t.Fatal(late)
	}
	e.t.Logf("the programs recovered %.1f s after the switch, while it lasted", time.Since(started).Seconds())
}

// failOverRedis promotes a replica, and then switches back. Old connections stay with the demoted master, which goes on as a
// replica without a master.
func failOverRedis(e *episode) {
	ctx := context.WithoutCancel(e.t.Context())
	port := programtest.Port(e.t)
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", e.t.TempDir(), "--save", "", "--daemonize", "no") //nolint:noctx // killed below
	if err := cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	first, second := e.w.redis.target, net.JoinHostPort("127.0.0.1", port)
	for _, move := range [][2]string{{first, second}, {second, first}} {
		if err := takeOver(ctx, e, move[0], move[1]); err != nil {
			e.t.Fatalf("switch Redis over from %s to %s: %v", move[0], move[1], err)
		}
		e.hits++
		e.awaitOwnRecovery()
	}
}

// takeOver copies the data of the master at from to the server at to, and makes that the master. Only new connections
// reach it.
func takeOver(ctx context.Context, e *episode, from, to string) error {
	master := redis.NewClient(&redis.Options{Addr: from, Protocol: 2, MaxRetries: -1})
	defer master.Close() //nolint:errcheck // only read
	replica := redis.NewClient(&redis.Options{Addr: to, Protocol: 2, MaxRetries: 10})
	defer replica.Close() //nolint:errcheck // only read
	host, port, err := net.SplitHostPort(from)
	if err != nil {
		return err
	}
	if err := replica.ReplicaOf(ctx, host, port).Err(); err != nil {
		return err
	}
	inStep := func(paused bool) func() error {
		return func() error {
			m, err := master.Info(ctx, "replication").Result()
			if err != nil {
				return err
			}
			r, err := replica.Info(ctx, "replication").Result()
			if err != nil {
				return err
			}
			if field(r, "master_link_status") != "up" || paused && field(r, "slave_repl_offset") != field(m, "master_repl_offset") {
				return fmt.Errorf("the replica is at %s of %s", field(r, "slave_repl_offset"), field(m, "master_repl_offset"))
			}
			return nil
		}
	}
	eventually(e.t, patience, "the replica to be connected", inStep(false))
	if err := master.Do(ctx, "CLIENT", "PAUSE", 2000, "WRITE").Err(); err != nil {
		return err
	}
	eventually(e.t, patience, "the replica to have everything", inStep(true))
	if err := replica.ReplicaOf(ctx, "NO", "ONE").Err(); err != nil {
		return err
	}
	e.w.redis.setTarget(to)
	return master.ReplicaOf(ctx, "127.0.0.1", "1").Err()
}

// field returns a field of INFO's output.
func field(info, name string) string {
	_, rest, _ := strings.Cut(info, name+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}
