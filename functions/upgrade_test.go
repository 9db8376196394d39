package functions_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/event"
	"orderbell/internal/mail"
	"orderbell/internal/notification"
	"orderbell/internal/order"
	"orderbell/internal/store/database"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/store/inboxstore"
	"orderbell/internal/store/orderstore"
	"orderbell/internal/store/outbox"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
	"orderbell/migrations"
)

// nextRelease are steps that the migrations of a next release may have while the programs of this one run.
func nextRelease() []string {
	return []string{
		"ALTER TABLE orders ADD COLUMN note text NOT NULL DEFAULT ''",
		"ALTER TABLE orders ALTER COLUMN reference TYPE varchar(1000)",
		"ALTER TABLE users ADD COLUMN nickname text, ALTER COLUMN name TYPE varchar(1000)",
		"ALTER TABLE notifications ADD COLUMN shown_at timestamptz",
		"ALTER TABLE notifications ALTER COLUMN event_type TYPE varchar(100)",
		"ALTER TABLE outbox ALTER COLUMN traceparent TYPE varchar(200)",
		"ALTER TABLE email_deliveries ADD COLUMN hint text",
		"ALTER TABLE email_deliveries ALTER COLUMN message_id TYPE varchar(500)",
		"CREATE INDEX orders_by_reference ON orders (tenant_id, reference)",
		"CREATE TABLE discounts (id uuid PRIMARY KEY, order_id uuid REFERENCES orders)",
	}
}

// TestProgramsWorkWhileTheSchemaChanges runs the stores of all programs, with prepared statements on every connection,
// while the schema changes to that of a next release, and after it.
func TestProgramsWorkWhileTheSchemaChanges(t *testing.T) {
	t.Parallel()
	w := setup(t)
	work := w.work(t)
	var rounds, temporary atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			for ctx.Err() == nil {
				for doing, do := range work {
					err := do(context.WithoutCancel(ctx))
					var t2 interface{ Temporary() bool }
					var conflict interface{ Conflict() bool }
					switch {
					case err == nil:
					case errors.As(err, &t2), errors.As(err, &conflict):
						temporary.Add(1) // a deadlock with the step, say: the caller tries again
					default:
						t.Errorf("%s: %v", doing, err)
						return
					}
				}
				rounds.Add(1)
			}
		})
	}
	worked := func(n int64) {
		t.Helper()
		for until := rounds.Load() + n; rounds.Load() < until && !t.Failed(); {
			<-time.After(5 * time.Millisecond)
		}
	}
	worked(12) // every connection has prepared its statements
	for _, step := range nextRelease() {
		sql := "SET LOCAL lock_timeout = '3s'; " + step
		for try := 0; ; try++ { // as orderbell migrate does
			_, err := w.pool.Exec(t.Context(), "BEGIN; "+sql+"; COMMIT", pgx.QueryExecModeSimpleProtocol)
			if err == nil {
				break
			}
			if try == 20 {
				t.Fatalf("%s: %v", step, err)
			}
		}
		worked(6)
	}
	worked(12)
	stop()
	all.Wait()
	t.Logf("%d rounds of work, %d temporary errors", rounds.Load(), temporary.Load())
	if done, failed := rounds.Load(), temporary.Load(); failed > done {
		t.Errorf("%d temporary errors in %d rounds, want few", failed, done)
	}
}

// paid returns a new event of the world's order.
func (w world) paid() (event.Event, error) {
	at := time.Now().UTC().Truncate(time.Millisecond)
	e := event.Event{ID: uuid.Must(uuid.NewV7()).String(), Source: event.Source, Type: event.OrderPaid, Time: at, Data: event.Data{
		OrderID: w.orderID, TenantID: "acme", Status: order.Paid, Reference: "A-1", TotalAmount: 5, Currency: "EUR", Version: 2, Timestamp: at,
	}}
	raw, err := json.Marshal(e.Data)
	e.Raw = raw
	return e, err
}

// work returns what the programs do, one function for each store's way.
func (w world) work(t *testing.T) map[string]func(context.Context) error {
	t.Helper()
	api, functions := w.as(t, "orderbell_user_api"), w.as(t, "orderbell_functions")
	orders, users, inbox := orderstore.New(w.as(t, "orderbell_order_api")), userstore.New(api), inboxstore.New(api)
	events, out := eventstore.New(functions, "mail.example"), outbox.New(w.as(t, "orderbell_outbox_relay"))
	if _, err := events.EnsureDays(t.Context(), time.Now().AddDate(0, 0, -1), time.Now().AddDate(0, 0, 1)); err != nil {
		t.Fatal(err)
	}
	request := func() order.Request { return order.Request{TenantID: "acme", Key: uuid.NewString()} }
	return map[string]func(context.Context) error{
		"create and pay": func(ctx context.Context) error {
			made, err := orders.Create(ctx, order.Order{Reference: "A-1", TotalAmount: 5, Currency: "EUR"}, request())
			if err != nil {
				return err
			}
			_, err = orders.Change(ctx, made.Order.ID, order.Paid, request())
			return err
		},
		"read orders": func(ctx context.Context) error {
			if _, err := orders.Get(ctx, "acme", w.orderID); err != nil {
				return err
			}
			_, _, err := orders.Page(ctx, "acme", order.Query{Limit: 10})
			return err
		},
		"users": func(ctx context.Context) error {
			if _, err := users.Find(ctx, "acme", w.owner.ID); err != nil {
				return err
			}
			_, _, err := users.Users(ctx, "acme", "", 10)
			return err
		},
		"inbox": func(ctx context.Context) error {
			_, err := inbox.Page(ctx, "acme", w.owner.ID, notification.Query{Limit: 10})
			return err
		},
		"relay": func(ctx context.Context) error {
			_, err := out.Take(ctx, 0, 16, 50, func(_ context.Context, taken []event.Outgoing) (sent []int64) {
				for _, e := range taken {
					sent = append(sent, e.Position)
				}
				return sent
			})
			return err
		},
		"apply an event": func(ctx context.Context) error {
			e, err := w.paid()
			if err != nil {
				return err
			}
			_, err = events.Apply(ctx, e, user.Audience{Roles: user.Sellers()})
			return err
		},
		"claim a mail": func(ctx context.Context) error {
			_, _, err := events.ClaimOfTenant(ctx, "acme", mail.Terms{Lease: time.Minute})
			return err
		},
		"readiness": func(ctx context.Context) error { return database.Ready(ctx, functions) },
	}
}

// TestStepsKeepTheProgramsOfTheReleaseBefore refuses what running programs cannot survive. A column that is no longer
// used is dropped one release later than the code that used it, and its step is named here with that release.
func TestStepsKeepTheProgramsOfTheReleaseBefore(t *testing.T) {
	t.Parallel()
	allowed := map[int]string{23: "a function that drops a day's partition: the sweeper before it did so itself"}
	breaks := regexp.MustCompile(`(?i)\b(DROP (TABLE|COLUMN|FUNCTION)|RENAME (TO|COLUMN)|SET NOT NULL|ADD COLUMN( IF NOT EXISTS)? \w+ [^,;]*NOT NULL)\b[^,;]*`)
	given := regexp.MustCompile(`(?i)\b(DEFAULT|GENERATED)\b`)
	comment := regexp.MustCompile(`--[^\n]*`)
	files, err := fs.Glob(migrations.Files, "*.up.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		version, err := strconv.Atoi(name[:6])
		if err != nil {
			t.Fatal(err)
		}
		text, err := fs.ReadFile(migrations.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range breaks.FindAllString(comment.ReplaceAllString(string(text), ""), -1) {
			if _, ok := allowed[version]; !ok && !given.MatchString(found) {
				t.Errorf("%s: %q breaks programs that run while it is applied", name, found)
			}
		}
	}
	for _, bad := range []string{"ALTER TABLE a DROP COLUMN b", "ALTER TABLE a RENAME COLUMN b TO c", "ALTER TABLE a ADD COLUMN b text NOT NULL", "ALTER TABLE a ALTER b SET NOT NULL"} {
		if found := breaks.FindString(bad); found == "" || given.MatchString(found) {
			t.Errorf("%q counts as a step that keeps programs running", bad)
		}
	}
	if ok := fmt.Sprint(given.MatchString(breaks.FindString("ALTER TABLE a ADD COLUMN b text NOT NULL DEFAULT ''"))); ok != "true" {
		t.Error("a column with a default is refused")
	}
}
