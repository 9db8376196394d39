package database_test

import (
	"context"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"orderbell/internal/store/database/databasetest"
)

// TestAPoolersConnectionsToAStandbyAreDropped switches the primary over while a transaction pooler has connections to it. The pooler gives
// them to new clients, too.
func TestAPoolersConnectionsToAStandbyAreDropped(t *testing.T) {
	t.Parallel()
	p := startPrimary(t)
	p.exec(t, "CREATE TABLE written (n int PRIMARY KEY)")
	pooled := &transactionPooler{server: p.address}
	cfg := databasetest.Config(pooled.listen(t))
	cfg.MaxConns = 4
	pool := open(t, cfg)
	held := make([]*pgxpool.Conn, cfg.MaxConns)
	for i := range held { // the pooler has four connections to the server, too
		held[i] = acquire(t, pool)
		if _, err := held[i].Exec(t.Context(), "BEGIN"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range held {
		if _, err := c.Exec(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		c.Release()
	}
	if got := pooled.idle(); got != int(cfg.MaxConns) {
		t.Fatalf("the pooler has %d idle connections, want %d", got, cfg.MaxConns)
	}
	p.demoteOld(t)
	for n := range 3 {
		if _, err := pool.Exec(t.Context(), "INSERT INTO written VALUES ($1)", n); err != nil {
			t.Errorf("insert %d: %v", n, err)
		}
	}
}

// transactionPooler gives each transaction a connection to the server, as PgBouncer does with pool_mode transaction: the one that was
// used last. A connection whose client left within a transaction is closed.
type transactionPooler struct {
	server string

	mu   sync.Mutex
	free []*pgconn.HijackedConn
}

func (p *transactionPooler) listen(t *testing.T) (address string) {
	t.Helper()
	u, err := url.Parse(p.server)
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, c := range p.free {
			_ = c.Conn.Close()
		}
	})
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	u.Host = l.Addr().String()
	return u.String()
}

func (p *transactionPooler) idle() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.free)
}

func (p *transactionPooler) take() (*pgconn.HijackedConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		c := p.free[n-1]
		p.free = p.free[:n-1]
		return c, nil
	}
	conn, err := pgconn.Connect(context.Background(), p.server)
	if err != nil {
		return nil, err
	}
	return conn.Hijack()
}

func (p *transactionPooler) give(c *pgconn.HijackedConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, c)
}

// serve answers the messages of a client up to each Query or Sync with those of the server up to ReadyForQuery.
func (p *transactionPooler) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	from := pgproto3.NewBackend(client, client)
	if _, err := from.ReceiveStartupMessage(); err != nil {
		return
	}
	from.Send(&pgproto3.AuthenticationOk{})
	for name, value := range map[string]string{"client_encoding": "UTF8", "standard_conforming_strings": "on"} {
		from.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	from.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}})
	from.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	var server *pgconn.HijackedConn
	defer func() {
		if server != nil {
			_ = server.Conn.Close()
		}
	}()
	for from.Flush() == nil {
		msg, err := from.Receive()
		if err != nil {
			return
		}
		if _, ends := msg.(*pgproto3.Terminate); ends {
			return
		}
		if server == nil {
			if server, err = p.take(); err != nil {
				return
			}
		}
		server.Frontend.Send(msg)
		switch msg.(type) {
		case *pgproto3.Query, *pgproto3.Sync:
		default:
			continue
		}
		if server.Frontend.Flush() != nil {
			return
		}
		for {
			answer, err := server.Frontend.Receive()
			if err != nil {
				return
			}
			from.Send(answer)
			if ready, ok := answer.(*pgproto3.ReadyForQuery); ok {
				if ready.TxStatus == 'I' {
					p.give(server)
					server = nil
				}
				break
			}
		}
	}
}
