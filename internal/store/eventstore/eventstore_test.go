package eventstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/event"
	"orderbell/internal/order"
	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/user"
)

// user is a user of the tenant demo.
type account struct {
	id            string
	role          user.Role
	noApp, noMail bool
}

func testUser(n int) string { return fmt.Sprintf("0193b5a2-aaaa-7000-8000-%012d", n) }

// staff has one user of each kind that Apply distinguishes.
func staff() []account {
	return []account{
		{id: testUser(1), role: user.Owner},
		{id: testUser(2), role: user.Manager, noMail: true},
		{id: testUser(3), role: user.Cashier, noApp: true},
		{id: testUser(4), role: user.Kitchen},
		{id: testUser(5), role: user.Viewer, noApp: true},
	}
}

func setup(tb testing.TB, users ...account) (*eventstore.Store, *database.Pool) {
	tb.Helper()
	pool := databasetest.New(tb)
	exec(tb, pool, `INSERT INTO tenants (id, name) VALUES ('demo', 'Kopi & Co'), ('other', 'Other')`)
	// A user of another tenant who would be notified there.
	exec(tb, pool, `INSERT INTO users (id, tenant_id, email, roles) VALUES ($1, 'other', 'owner@other.example', '{owner}')`, testUser(99))
	for _, p := range users {
		exec(tb, pool, `INSERT INTO users (id, tenant_id, email, name, roles, notification_in_app_enabled, notification_email_enabled)
			VALUES ($1, 'demo', $2, 'Ayu', $3, $4, $5)`, p.id, p.id+"@demo.example", []string{string(p.role)}, !p.noApp, !p.noMail)
	}
	return eventstore.New(pool, "mail.example"), pool
}

func exec(tb testing.TB, pool *database.Pool, sql string, args ...any) {
	tb.Helper()
	if _, err := pool.Exec(context.Background(), sql, args...); err != nil {
		tb.Fatal(err)
	}
}

func count(tb testing.TB, pool *database.Pool, sql string) (n int) {
	tb.Helper()
	if err := pool.QueryRow(context.Background(), sql).Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

func paid(tb testing.TB) event.Event {
	tb.Helper()
	return paidAt(tb, time.Now())
}

func paidAt(tb testing.TB, at time.Time) event.Event {
	tb.Helper()
	at = at.UTC().Truncate(time.Millisecond)
	return encode(tb, event.Event{
		ID: uuid.Must(uuid.NewV7()).String(), Source: event.Source, Type: event.OrderPaid, Time: at,
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", TraceState: "vendor=1",
		Data: event.Data{
			OrderID: uuid.Must(uuid.NewV7()).String(), TenantID: "demo", Status: order.Paid, Reference: "A-1042",
			TotalAmount: 125000, Currency: "IDR", Version: 2, Timestamp: at,
		},
	})
}

func encode(tb testing.TB, e event.Event) event.Event {
	tb.Helper()
	raw, err := json.Marshal(e.Data)
	if err != nil {
		tb.Fatal(err)
	}
	e.Raw = raw
	return e
}

// sellers are the audience of a paid order.
func sellers() user.Audience { return user.Audience{Roles: user.Sellers()} }

func apply(tb testing.TB, s *eventstore.Store, e event.Event) event.Receipt {
	tb.Helper()
	r, err := s.Apply(context.Background(), e, sellers())
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// users returns the users of a receipt.
func users(r event.Receipt) []string {
	var ids []string
	for _, to := range r.Recipients {
		ids = append(ids, to.UserID)
	}
	return ids
}

func TestApply(t *testing.T) {
	t.Parallel()
	t.Run("a new event is recorded, and its recipients are notified", func(t *testing.T) {
		t.Parallel()
		s, pool := setup(t, staff()...)
		e := paid(t)
		r := apply(t, s, e)
		if r.Outcome != event.Applied || r.DueMails != 2 {
			t.Errorf("got %+v", r)
		}
		if diff := cmp.Diff([]string{testUser(1), testUser(2)}, users(r)); diff != "" {
			t.Errorf("told: %s", diff)
		}
		rows, err := pool.Query(t.Context(), `SELECT user_id::text FROM email_deliveries WHERE status = 'due' AND attempt = 0
			AND message_id = id || '@mail.example' AND next_attempt_at <= now() AND tenant_id = 'demo' ORDER BY user_id`)
		if err != nil {
			t.Fatal(err)
		}
		mailed, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{testUser(1), testUser(3)}, mailed); diff != "" {
			t.Errorf("mailed: %s", diff)
		}
	})
	t.Run("the record has the decision for each user, with its reason", func(t *testing.T) {
		t.Parallel()
		s, pool := setup(t, staff()...)
		apply(t, s, paid(t))
		var raw []byte
		if err := pool.QueryRow(t.Context(), "SELECT decisions FROM event_records").Scan(&raw); err != nil {
			t.Fatal(err)
		}
		var got []user.Decision
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		decision := func(n int, c user.Channel, v user.Verdict, reason string) user.Decision {
			return user.Decision{UserID: testUser(n), Channel: c, Outcome: v, Reason: reason}
		}
		want := []user.Decision{
			decision(1, user.InApp, user.Notified, ""),
			decision(1, user.Email, user.Due, ""),
			decision(2, user.InApp, user.Notified, ""),
			decision(2, user.Email, user.Suppressed, user.ByPreference),
			decision(3, user.InApp, user.Suppressed, user.ByPreference),
			decision(3, user.Email, user.Due, ""),
			decision(4, user.InApp, user.Suppressed, user.ByRole),
			decision(4, user.Email, user.Suppressed, user.ByRole),
			decision(5, user.InApp, user.Suppressed, user.ByRole),
			decision(5, user.Email, user.Suppressed, user.ByRole),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the record holds the event", func(t *testing.T) {
		t.Parallel()
		s, pool := setup(t, staff()...)
		e := paid(t)
		apply(t, s, e)
		var got event.Event
		var data, kept []byte
		err := pool.QueryRow(t.Context(), `SELECT event_id::text, source, r.type, occurred_at, traceparent, r.data, n.data
			FROM event_records r JOIN notifications n USING (event_id)
			WHERE event_day = $1 AND order_version = 2 AND r.order_id = $2 AND n.user_id = $3`, e.Day(), e.Data.OrderID, testUser(1)).
			Scan(&got.ID, &got.Source, &got.Type, &got.Time, &got.TraceParent, &data, &kept)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &got.Data); err != nil {
			t.Fatal(err)
		}
		got.Time, got.Raw, got.TraceState = got.Time.UTC(), e.Raw, e.TraceState // no record needs it
		if diff := cmp.Diff(e, got); diff != "" {
			t.Error(diff)
		}
		if string(data) != string(kept) {
			t.Errorf("the notification holds %s, the record %s", kept, data)
		}
	})
	t.Run("without an audience there is only the record", func(t *testing.T) {
		t.Parallel()
		s, pool := setup(t, staff()...)
		r, err := s.Apply(t.Context(), paid(t), user.Audience{})
		if err != nil || r.Outcome != event.Applied || len(r.Recipients) > 0 || r.DueMails > 0 {
			t.Errorf("got %+v, %v", r, err)
		}
		if n := count(t, pool, "SELECT count(*) FROM event_records WHERE decisions = '[]'"); n != 1 {
			t.Errorf("%d records", n)
		}
	})
	t.Run("events of an unknown tenant are recorded", func(t *testing.T) {
		t.Parallel()
		s, pool := setup(t, staff()...)
		e := paid(t)
		e.Data.TenantID = "nobody"
		if r := apply(t, s, encode(t, e)); r.Outcome != event.Applied || len(r.Recipients) > 0 {
			t.Errorf("got %+v", r)
		}
		if n := count(t, pool, "SELECT count(*) FROM event_records"); n != 1 {
			t.Errorf("%d records", n)
		}
	})
	t.Run("fields of a later contract that jsonb cannot hold do no harm", func(t *testing.T) {
		t.Parallel()
		s, _ := setup(t, staff()...)
		e := paid(t)
		e.Raw = []byte(strings.TrimSuffix(string(e.Raw), "}") + `,"note":"\u0000","huge":1e999999}`)
		apply(t, s, e)
	})
}

func TestApplyAgain(t *testing.T) {
	t.Parallel()
	t.Run("a repeated event changes nothing and has the same recipients", func(t *testing.T) {
		t.Parallel()
		s, pool := setup(t, staff()...)
		e := paid(t)
		want := apply(t, s, e)
		want.Outcome = event.Duplicate
		if diff := cmp.Diff(want, apply(t, s, e)); diff != "" {
			t.Error(diff)
		}
		assertCounts(t, pool, 1, 2, 2)
	})
	t.Run("a user who is added between two deliveries is not notified", func(t *testing.T) {
		t.Parallel()
		s, pool := setup(t, staff()...)
		e := paid(t)
		apply(t, s, e)
		exec(t, pool, `UPDATE users SET roles = '{owner}', notification_in_app_enabled = true`)
		if r := apply(t, s, e); len(r.Recipients) != 2 {
			t.Errorf("told: %v", users(r))
		}
		assertCounts(t, pool, 1, 2, 2)
	})
	t.Run("a repeated transaction makes the same ids", func(t *testing.T) {
		t.Parallel()
		s, pool := setup(t, staff()...)
		e := paid(t)
		want := apply(t, s, e)
		id := uuid.MustParse(want.Recipients[0].NotificationID)
		if id.Version() != 8 || id.Variant() != uuid.RFC4122 || id.String()[:13] != e.ID[:13] {
			t.Errorf("%s is not a UUIDv8 with the prefix of %s", id, e.ID)
		}
		exec(t, pool, `DELETE FROM event_records`)
		exec(t, pool, `DELETE FROM notifications`)
		exec(t, pool, `DELETE FROM email_deliveries`)
		if diff := cmp.Diff(want, apply(t, s, e)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("fifty concurrent deliveries are applied once", func(t *testing.T) {
		t.Parallel()
		s, pool := setup(t, staff()...)
		e := paid(t)
		const deliveries = 50
		receipts := make([]event.Receipt, deliveries)
		var wg sync.WaitGroup
		for i := range receipts {
			wg.Go(func() {
				var err error
				if receipts[i], err = s.Apply(context.Background(), e, sellers()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		applied := 0
		for _, r := range receipts {
			if r.Outcome == event.Applied {
				applied++
			}
			r.Outcome = receipts[0].Outcome
			if diff := cmp.Diff(receipts[0], r); diff != "" {
				t.Errorf("two deliveries have different recipients: %s", diff)
			}
		}
		if applied != 1 {
			t.Errorf("%d deliveries were the first", applied)
		}
		assertCounts(t, pool, 1, 2, 2)
	})
	t.Run("the event of another source with the same id is another event", func(t *testing.T) {
		t.Parallel()
		s, pool := setup(t, staff()...)
		e := paid(t)
		apply(t, s, e)
		e.Source = "/shop/till"
		if r := apply(t, s, e); r.Outcome != event.Applied {
			t.Errorf("got %+v", r)
		}
		assertCounts(t, pool, 2, 4, 4)
	})
	for name, change := range map[string]func(*event.Event){
		"data":                func(e *event.Event) { e.Data.TotalAmount++ },
		"time":                func(e *event.Event) { e.Time = e.Time.Truncate(time.Hour) },
		"time on another day": func(e *event.Event) { e.Time = e.Time.Add(-24 * time.Hour) },
		"type":                func(e *event.Event) { e.Type = event.OrderStatusUpdated },
	} {
		t.Run("the same id with another "+name+" is refused and changes nothing", func(t *testing.T) {
			t.Parallel()
			s, pool := setup(t, staff()...)
			e := paid(t)
			apply(t, s, e)
			change(&e)
			_, err := s.Apply(t.Context(), encode(t, e), sellers())
			var invalid *event.InvalidError
			if !errors.Is(err, event.ErrPayloadConflict) || !errors.As(err, &invalid) {
				t.Errorf("got %v", err)
			}
			assertCounts(t, pool, 1, 2, 2)
		})
	}
}

func assertCounts(tb testing.TB, pool *database.Pool, records, notifications, mails int) {
	tb.Helper()
	got := [3]int{
		count(tb, pool, "SELECT count(*) FROM event_records"), count(tb, pool, "SELECT count(*) FROM notifications"),
		count(tb, pool, "SELECT count(*) FROM email_deliveries"),
	}
	if want := [3]int{records, notifications, mails}; got != want {
		tb.Errorf("records, notifications, e-mails: %v, want %v", got, want)
	}
}
