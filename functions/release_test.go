package functions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/schema"
)

// release is what the programs of a release send to PostgreSQL, as its log has it: see record_test.go.
type release struct {
	Commit    string         `json:"commit"`
	Migration int            `json:"migration"` // the latest step that the release has
	Day       string         `json:"day"`       // of the recording, as 2026-11-29
	Base      []sqlStatement `json:"base"`      // makes the rows that the units work on
	Units     []sqlUnit      `json:"units"`
}

// sqlUnit is one piece of work of a program, such as to create and pay an order.
type sqlUnit struct {
	Doing      string         `json:"doing"`
	Statements []sqlStatement `json:"statements"`
}

// sqlStatement is a statement with its parameters as text, nil for NULL.
type sqlStatement struct {
	Role string    `json:"role,omitempty"` // empty: the owner of the tables
	SQL  string    `json:"sql"`
	Args []*string `json:"args,omitempty"`
}

const releaseFile = "testdata/release.json"

func readRelease(t *testing.T) (r release) {
	t.Helper()
	raw, err := os.ReadFile(releaseFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestTheReleaseBeforeWorksWhileTheSchemaMigrates sends what the programs of the release before send, under load and with
// statements prepared on every connection, while the schema migrates to this release, and after it.
func TestTheReleaseBeforeWorksWhileTheSchemaMigrates(t *testing.T) {
	t.Parallel()
	r := readRelease(t)
	steps := int(database.Latest()) - r.Migration
	if steps < 1 {
		t.Fatalf("%s has the programs of schema version %d: want those of a release before %d", releaseFile, r.Migration, database.Latest())
	}
	address := databasetest.URL(t)
	cfg := databasetest.Config(address)
	if err := schema.Down(t.Context(), cfg, steps, nil); err != nil {
		t.Fatal(err)
	}
	p := newPlayer(t, address, r)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			for ctx.Err() == nil && !t.Failed() {
				p.round(context.WithoutCancel(ctx), t)
			}
		})
	}
	worked := func(n int64) {
		for until := p.rounds.Load() + n; p.rounds.Load() < until && !t.Failed(); {
			<-time.After(5 * time.Millisecond)
		}
	}
	worked(12) // every connection has prepared its statements
	applied := 0
	err := schema.Up(t.Context(), cfg, func(database.Migration) {
		applied++
		worked(6)
	})
	if err != nil || applied != steps {
		t.Errorf("%d of %d steps were applied: %v", applied, steps, err)
	}
	worked(12)
	stop()
	all.Wait()
	rounds := p.rounds.Load()
	t.Logf("%d rounds of %d pieces of work of %s, %d temporary errors", rounds, len(r.Units), r.Commit, p.temporary.Load())
	if p.temporary.Load() > rounds {
		t.Errorf("%d temporary errors in %d rounds, want few", p.temporary.Load(), rounds)
	}
	var orders, records int64
	if err := databasetest.Open(t, address).QueryRow(t.Context(), "SELECT (SELECT count(*) FROM orders WHERE status = 'paid'), (SELECT count(*) FROM event_records)").
		Scan(&orders, &records); err != nil {
		t.Fatal(err)
	}
	if orders < rounds || records < rounds {
		t.Errorf("%d paid orders and %d event records after %d rounds: the statements have no effect", orders, records, rounds)
	}
}

// player sends a release's statements.
type player struct {
	release   release
	pools     map[string]*database.Pool // by role
	kept      map[string]bool           // ids of the rows that the units work on
	recorded  time.Time
	later     int // days since the recording
	rounds    atomic.Int64
	temporary atomic.Int64
}

func newPlayer(t *testing.T, address string, r release) *player {
	t.Helper()
	p := &player{release: r, pools: map[string]*database.Pool{"": databasetest.Open(t, address)}, kept: map[string]bool{}}
	day, err := time.Parse(time.DateOnly, r.Day)
	if err != nil {
		t.Fatal(err)
	}
	p.recorded, p.later = day, int(time.Now().UTC().Truncate(24*time.Hour).Sub(day).Hours())/24
	for _, s := range r.Base {
		for _, arg := range s.Args {
			if arg != nil {
				for _, id := range anyUUID.FindAllString(*arg, -1) {
					p.kept[id] = true
				}
			}
		}
	}
	if err := p.send(t.Context(), r.Base); err != nil {
		t.Fatalf("make the rows: %v", err)
	}
	for _, u := range r.Units {
		for _, s := range u.Statements {
			if p.pools[s.Role] == nil {
				p.pools[s.Role] = databasetest.Open(t, databasetest.As(t, address, s.Role))
			}
		}
	}
	return p
}

// round sends each unit once.
func (p *player) round(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, u := range p.release.Units {
		err := p.send(ctx, u.Statements)
		if database.Violates(err, "0A000") { // a cached plan: nothing was done, and the release sends it again
			err = p.send(ctx, u.Statements)
		}
		switch {
		case err == nil:
		case database.Violates(err, "40001", "40P01", "55P03"):
			p.temporary.Add(1) // the caller tries again
		default:
			t.Errorf("%s: %v", u.Doing, err)
			return
		}
	}
	p.rounds.Add(1)
}

var (
	anyUUID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	anyDay  = regexp.MustCompile(`^\d{4}-\d\d-\d\d`)
)

// send sends statements, with ids of this time alone in place of those of the recording.
func (p *player) send(ctx context.Context, statements []sqlStatement) error {
	ids := map[string]string{}
	conns := map[string]*pgxpool.Conn{}
	defer func() {
		for _, c := range conns {
			if c.Conn().PgConn().TxStatus() != 'I' {
				_, _ = c.Exec(ctx, "ROLLBACK")
			}
			c.Release()
		}
	}()
	for len(statements) > 0 {
		s := statements[0]
		conn := conns[s.Role]
		if conn == nil {
			var err error
			if conn, err = p.pools[s.Role].Acquire(ctx); err != nil {
				return err
			}
			conns[s.Role] = conn
		}
		n := 1
		if conn.Conn().PgConn().TxStatus() == 'I' && strings.HasPrefix(s.SQL, "SELECT set_config('role'") {
			n = 2 // the tenant and what is done for it are sent in one round trip, which is a transaction
		}
		if err := p.together(ctx, conn, statements[:n], ids); err != nil {
			return fmt.Errorf("%w\n%s", err, statements[n-1].SQL)
		}
		statements = statements[n:]
	}
	return nil
}

// together sends statements in one round trip.
func (p *player) together(ctx context.Context, conn *pgxpool.Conn, statements []sqlStatement, ids map[string]string) error {
	var b pgx.Batch
	for _, s := range statements {
		args := make([]any, len(s.Args))
		for i, arg := range s.Args {
			if arg != nil {
				args[i] = p.now(*arg, ids)
			}
		}
		if len(statements) == 1 {
			_, err := conn.Exec(ctx, s.SQL, args...)
			return err
		}
		b.Queue(s.SQL, args...)
	}
	return conn.SendBatch(ctx, &b).Close()
}

// now returns a parameter as it would be now.
func (p *player) now(arg string, ids map[string]string) string {
	const near = 60 * 24 * time.Hour // others are not of the recording's time, such as an end without a limit
	if day, err := time.Parse(time.DateOnly, anyDay.FindString(arg)); err == nil && day.Sub(p.recorded).Abs() < near {
		arg = day.AddDate(0, 0, p.later).Format(time.DateOnly) + arg[len(time.DateOnly):]
	}
	return anyUUID.ReplaceAllStringFunc(arg, func(id string) string {
		if p.kept[id] {
			return id
		}
		if ids[id] == "" {
			if ids[id] = uuid.NewString(); uuid.MustParse(id).Version() == 7 {
				ids[id] = uuid.Must(uuid.NewV7()).String()
			}
		}
		return ids[id]
	})
}
