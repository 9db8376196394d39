package database_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
)

// herald passes connections on to the server, but says itself which of them are to a standby.
type herald struct {
	address string
	demoted atomic.Pointer[pgproto3.ParameterStatus] // what connections that are open then announce; nil: nothing
}

func startHerald(t *testing.T, address string) *herald {
	t.Helper()
	h := &herald{}
	h.address = inFront(t, address, h.pass)
	return h
}

func (h *herald) pass(client net.Conn, server string) {
	defer func() { _ = client.Close() }()
	back, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", server)
	if err != nil {
		return
	}
	defer func() { _ = back.Close() }()
	from, to := pgproto3.NewFrontend(back, back), pgproto3.NewBackend(client, client)
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, err := client.Read(b)
			if err != nil {
				_ = back.Close()
				return
			}
			if _, err := back.Write(b[:n]); err != nil {
				return
			}
		}
	}()
	old := h.demoted.Load()
	for {
		msg, err := from.Receive()
		if err != nil {
			return
		}
		switch msg := msg.(type) {
		case *pgproto3.ParameterStatus:
			if msg.Name == "in_hot_standby" || strings.HasSuffix(msg.Name, "read_only") {
				continue // a server before version 14
			}
		case *pgproto3.ReadyForQuery:
			if now := h.demoted.Load(); now != old {
				to.Send(now)
				old = now
			}
		}
		to.Send(msg)
		if to.Flush() != nil {
			return
		}
	}
}

// TestAServerThatSaysNothingIsLeft has sessions that turn read-only without an announcement. Of a pool with several of them,
// readiness sees one.
func TestAServerThatSaysNothingIsLeft(t *testing.T) {
	t.Parallel()
	p := startPrimary(t)
	p.address = startHerald(t, p.address).address
	pool := p.openFull(t)
	p.demoteOld(t)
	if err := database.Ready(t.Context(), pool); err != nil {
		t.Errorf("a program with old sessions is not ready: %v, want that all of them are replaced", err)
	}
}

// TestASessionThatTurnsReadOnlyIsReplaced has a server that announces it, by the one parameter or the other.
func TestASessionThatTurnsReadOnlyIsReplaced(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	for _, parameter := range []string{"in_hot_standby", "default_transaction_read_only"} {
		h := startHerald(t, address)
		cfg := databasetest.Config(h.address)
		cfg.MaxConns = 1
		pool := open(t, cfg)
		const pid = "SELECT pg_backend_pid()"
		before := databasetest.One[int](t, pool, pid)
		if again := databasetest.One[int](t, pool, pid); again != before {
			t.Errorf("%s: a session is not kept", parameter)
		}
		h.demoted.Store(&pgproto3.ParameterStatus{Name: parameter, Value: "on"})
		databasetest.One[int](t, pool, pid) // its answer has the announcement
		after := databasetest.One[int](t, pool, pid)
		if after == before {
			t.Errorf("%s: a session that turned read-only is used again", parameter)
		}
		if again := databasetest.One[int](t, pool, pid); again != after {
			t.Errorf("%s: the new session is not kept", parameter)
		}
	}
}

// TestOneEndOfTwoRetiresNothingNew has two sessions that end, one before and one after a new one begins.
func TestOneEndOfTwoRetiresNothingNew(t *testing.T) {
	t.Parallel()
	cfg := databasetest.Config(databasetest.URL(t))
	cfg.MaxConns = 3
	pool := open(t, cfg)
	const end = "DO $$ BEGIN RAISE EXCEPTION 'ending' USING ERRCODE = '57P01'; END $$"
	one, other := acquire(t, pool), acquire(t, pool)
	_, _ = one.Exec(t.Context(), end)
	fresh := acquire(t, pool)
	pid := fresh.Conn().PgConn().PID()
	fresh.Release()
	one.Release()
	_, _ = other.Exec(t.Context(), end)
	other.Release()
	if got := databasetest.One[uint32](t, pool, "SELECT pg_backend_pid()"); got != pid {
		t.Error("a session that began after the failover is replaced, too")
	}
}
