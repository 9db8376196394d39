//go:build record

package functions_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/dev/embedded"
	"orderbell/internal/mail"
	"orderbell/internal/order"
	"orderbell/internal/store/database"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/store/inboxstore"
	"orderbell/internal/store/orderstore"
	"orderbell/internal/store/outbox"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

// TestRecord writes testdata/release.json: what the programs of this tree send to PostgreSQL. Run it when a release is made,
// in the tree of that release:
//
//	go test -tags record -run TestRecord ./functions -commit "$(git rev-parse HEAD)"
//
// PostgreSQL logs every statement with its parameters, and the log is read.
func TestRecord(t *testing.T) {
	logs, err := os.MkdirTemp("", "statements") //nolint:usetesting // the server may be another user's
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(logs) })
	if err := os.Chmod(logs, 0o777); err != nil {
		t.Fatal(err)
	}
	p, err := embedded.StartPostgres(context.Background(), embedded.PostgresOptions{NoSync: true, Settings: map[string]string{
		"logging_collector": "on", "log_destination": "jsonlog", "log_directory": logs, "log_filename": "statements.log", "log_statement": "all",
		"log_file_mode": "0644", "log_rotation_size": "0", "max_connections": "200",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop() }) // after the databases are dropped
	t.Setenv("DATABASE_URL", p.URL())  // for databasetest
	w := setup(t)
	mark := func(doing string) {
		if _, err := w.pool.Exec(t.Context(), unitMark+doing+" */"); err != nil {
			t.Fatal(err)
		}
	}
	mark("-")
	work := w.work(t)
	maps.Copy(work, w.moreWork(t))
	names := slices.Sorted(maps.Keys(work))
	for _, record := range []bool{false, true} { // at first connections are opened
		for _, name := range names {
			if record {
				mark(name)
			}
			if err := work[name](t.Context()); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	mark("the end")
	name := filepath.Join(logs, "statements.json")
	for deadline := time.Now().Add(time.Minute); ; <-time.After(50 * time.Millisecond) { // the log is written by a process of its own
		text, err := os.ReadFile(name)
		if err == nil && strings.Contains(string(text), unitMark+"the end") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the log has no end", err)
		}
	}
	r := readLog(t, name, w.pool.Config().ConnConfig.Database)
	r.Commit, r.Migration, r.Day = *commit, int(database.Latest()), time.Now().UTC().Format(time.DateOnly)
	raw, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(releaseFile, append(raw, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}

var commit = flag.String("commit", "", "the commit of the release")

const unitMark = "SELECT 1 /* unit "

// readLog returns the statements of a database in the units that marks make of them; before the first is the base.
func readLog(t *testing.T, name, database string) (r release) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // only read
	owner, in, begun := "", "", false
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var entry struct{ Dbname, User, Message, Detail string }
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			t.Fatal(err)
		}
		m := statementOf.FindStringSubmatch(entry.Message)
		if entry.Dbname != database || m == nil {
			continue
		}
		if owner == "" {
			owner = entry.User
		}
		s := sqlStatement{Role: entry.User, SQL: m[1], Args: argsOf(entry.Detail)}
		if s.Role == owner {
			s.Role = ""
		}
		if doing, is := strings.CutPrefix(s.SQL, unitMark); is {
			begun, in = true, strings.TrimSuffix(doing, " */")
			if in != "-" && in != "the end" {
				r.Units = append(r.Units, sqlUnit{Doing: in})
			}
			continue
		}
		switch {
		case !begun:
			r.Base = append(r.Base, s)
		case in != "-" && in != "the end":
			u := &r.Units[len(r.Units)-1]
			u.Statements = append(u.Statements, s)
		}
	}
	if lines.Err() != nil || len(r.Units) == 0 {
		t.Fatal(lines.Err(), len(r.Units))
	}
	return r
}

var (
	statementOf = regexp.MustCompile(`(?s)^(?:statement|execute [^:]*): (.*)$`)
	argOf       = regexp.MustCompile(`\$\d+ = (NULL|'(?:[^']|'')*')`)
)

// argsOf reads a statement's parameters as the log has them: Parameters: $1 = 'it”s', $2 = NULL.
func argsOf(detail string) (args []*string) {
	for _, m := range argOf.FindAllStringSubmatch(detail, -1) {
		if m[1] == "NULL" {
			args = append(args, nil)
			continue
		}
		text := strings.ReplaceAll(m[1][1:len(m[1])-1], "''", "'")
		args = append(args, &text)
	}
	return args
}

// moreWork is what the programs do besides [world.work].
func (w world) moreWork(t *testing.T) map[string]func(context.Context) error {
	t.Helper()
	orders, api := orderstore.New(w.as(t, "orderbell_order_api")), w.as(t, "orderbell_user_api")
	users, inbox := userstore.New(api), inboxstore.New(api)
	functions, sweeper, relay, gateway := w.as(t, "orderbell_functions"), w.as(t, "orderbell_delivery_sweeper"), w.as(t, "orderbell_outbox_relay"), w.as(t, "orderbell_sse_gateway")
	events, mails := eventstore.New(functions, "mail.example"), eventstore.New(sweeper, "mail.example")
	today := time.Now().UTC().Truncate(24 * time.Hour)
	request := func() order.Request { return order.Request{TenantID: "acme", Key: uuid.NewString()} }
	terms := mail.Terms{Lease: time.Minute, MailsPerHour: 1_000_000, MaxInvitations: 10}
	return map[string]func(context.Context) error{
		"undo": func(ctx context.Context) error {
			made, err := orders.Create(ctx, order.Order{Reference: "A-2", TotalAmount: 5, Currency: "EUR"}, request())
			if err != nil {
				return err
			}
			if _, err = orders.Change(ctx, made.Order.ID, order.Paid, request()); err != nil {
				return err
			}
			if _, err = orders.Change(ctx, made.Order.ID, order.Preparing, request()); err != nil {
				return err
			}
			_, err = orders.Undo(ctx, made.Order.ID, 3, order.Undoable(), request())
			return err
		},
		"count and search": func(ctx context.Context) error {
			if _, err := orders.Count(ctx, "acme", time.Time{}, time.Time{}); err != nil {
				return err
			}
			if _, err := orders.Search(ctx, "acme", "A-1", 10); err != nil {
				return err
			}
			_, err := orders.TimeZone(ctx, "acme")
			return err
		},
		"tenant": func(ctx context.Context) error {
			if _, err := users.Tenant(ctx, "acme"); err != nil {
				return err
			}
			zone := "Asia/Jakarta"
			if _, err := users.UpdateTenant(ctx, "acme", user.TenantChange{TimeZone: &zone}); err != nil {
				return err
			}
			_, _, err := users.FindWithTenant(ctx, "acme", w.owner.ID)
			return err
		},
		"change a user": func(ctx context.Context) error {
			name := "Ayu"
			_, err := users.Update(ctx, "acme", w.owner.ID, user.Change{Name: &name}, user.InvitationTerms{
				Limits: user.DefaultLimits{MaxUsers: 50, MaxInvitations: 40}, Life: time.Hour, MailDomain: "x.example",
			})
			return err
		},
		"read notifications": func(ctx context.Context) error {
			if _, err := inbox.Read(ctx, "acme", w.owner.ID, w.notificationID); err != nil {
				return err
			}
			_, err := inbox.ReadAll(ctx, "acme", w.owner.ID)
			return err
		},
		"an event and its mail": func(ctx context.Context) error {
			e, err := w.paid()
			if err != nil {
				return err
			}
			if _, err = events.Apply(ctx, e, user.Audience{Roles: user.Sellers()}); err != nil {
				return err
			}
			d, ok, err := events.ClaimOfEvent(ctx, e.Source, e.ID, terms)
			if err != nil || !ok {
				return err
			}
			if _, err := events.Renew(ctx, d, time.Minute); err != nil {
				return err
			}
			_, err = events.Mark(ctx, d, mail.Mark{Status: mail.StatusSent})
			return err
		},
		"sweep": func(ctx context.Context) error {
			if _, err := mails.EnsureDays(ctx, today.AddDate(0, 0, -1), today.AddDate(0, 0, 7)); err != nil {
				return err
			}
			if _, err := mails.DueTenants(ctx, terms); err != nil {
				return err
			}
			if _, _, err := mails.ClaimOfTenant(ctx, "acme", terms); err != nil {
				return err
			}
			if _, err := outbox.New(sweeper).ForgetSent(ctx, time.Now().Add(-time.Hour), 10); err != nil {
				return err
			}
			if _, err := orderstore.New(sweeper).ForgetKeys(ctx, time.Now().Add(-time.Hour), 10); err != nil {
				return err
			}
			if _, err := userstore.New(sweeper).ForgetConfirmationMails(ctx, time.Now().Add(-time.Hour), 10); err != nil {
				return err
			}
			_, err := userstore.New(sweeper).ForgetOptOuts(ctx, time.Now(), 10)
			return err
		},
		"rights of a watcher": func(ctx context.Context) error {
			_, err := userstore.New(gateway).Find(ctx, "acme", w.owner.ID)
			return err
		},
		"mails that wait": func(ctx context.Context) error {
			_, _, err := eventstore.New(relay, "").Waiting(ctx)
			return err
		},
	}
}
