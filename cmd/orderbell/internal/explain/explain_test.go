package explain_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"orderbell/cmd/orderbell/internal/auditstore"
	"orderbell/cmd/orderbell/internal/explain"
	"orderbell/internal/event"
	"orderbell/internal/mail"
	"orderbell/internal/order"
	"orderbell/internal/pipeline"
	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/eventstore"
)

type world struct {
	t      *testing.T
	pool   *database.Pool
	events *eventstore.Store
}

func setup(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, pool: databasetest.New(t)}
	w.events = eventstore.New(w.pool, "mail.example")
	w.exec(`INSERT INTO tenants (id, name) VALUES ('demo', 'Demo'), ('kopi', 'Kopi')`)
	for _, u := range []string{"owner", "manager", "cashier", "kitchen"} {
		w.exec(`INSERT INTO users (id, tenant_id, email, roles) VALUES (gen_random_uuid(), 'demo', $1, $2)`, u+"@demo.example", []string{u})
	}
	return w
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.pool.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

// happens applies an event, as its function does, and returns its id.
func (w *world) happens(status order.Status) string {
	w.t.Helper()
	at := time.Now().UTC().Truncate(time.Microsecond)
	e := event.Event{
		ID: uuid.Must(uuid.NewV7()).String(), Source: event.Source, Type: event.TypeFor(status), Time: at,
		Data: event.Data{
			OrderID: uuid.NewString(), TenantID: "demo", Status: status, TotalAmount: 125000, Currency: "IDR", Version: 2, Timestamp: at,
		},
	}
	var err error
	if e.Raw, err = json.Marshal(e.Data); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.events.Apply(w.t.Context(), e, pipeline.Audience(e.Type)); err != nil {
		w.t.Fatal(err)
	}
	return e.ID
}

// claims claims the one due e-mail and marks it so.
func (w *world) claims(mark mail.Mark) {
	w.t.Helper()
	due, ok, err := w.events.ClaimOfTenant(w.t.Context(), "demo", mail.Terms{Lease: time.Minute, MailsPerHour: 1000})
	if err != nil || !ok {
		w.t.Fatal(ok, err)
	}
	if due.OptedOut || due.Deferred || mark.Status == "" {
		return
	}
	if held, err := w.events.Mark(w.t.Context(), due, mark); err != nil || !held {
		w.t.Fatal(held, err)
	}
}

func (w *world) explain(eventID, email string) explain.Account {
	w.t.Helper()
	accounts, err := explain.Event(w.t.Context(), auditstore.New(w.pool), eventID, email)
	if err != nil || len(accounts) != 1 {
		w.t.Fatalf("%d accounts, %v", len(accounts), err)
	}
	return accounts[0]
}

// plain replaces values that differ from run to run by TIME and ID.
func plain(s string) string {
	s = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z( \(\d\d:\d\d \w+\))?`).ReplaceAllString(s, "TIME$1")
	s = regexp.MustCompile(`\(\d\d:\d\d `).ReplaceAllString(s, "(CLOCK ")
	s = regexp.MustCompile(`\d\d:\d\d-\d\d:\d\d`).ReplaceAllString(s, "HOURS")
	return regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).ReplaceAllString(s, "ID")
}

// TestWhy explains each outcome of a mail and a notification.
func TestWhy(t *testing.T) {
	t.Parallel()
	quiet := func(w *world) {
		now := time.Now().UTC().Add(7 * time.Hour)
		w.exec(`UPDATE users SET time_zone = 'Asia/Jakarta', quiet_hours = $1 WHERE email LIKE 'owner%'`,
			now.Add(-time.Hour).Format("15:04")+"-"+now.Add(time.Hour).Format("15:04"))
	}
	others := func(w *world) {
		w.exec(`UPDATE users SET notification_email_enabled = false WHERE email NOT LIKE 'owner%'`)
	}
	const came = "A notification was created at TIME. It is not read."
	for name, test := range map[string]struct {
		before, after func(w *world)
		status        order.Status
		email         string // whose; "" for owner@demo.example
		inApp, mail   string
	}{
		"sent": {
			before: others, after: func(w *world) { w.claims(mail.Mark{Status: mail.StatusSent}) },
			inApp: came, mail: "Sent at TIME with 1 attempt, as ID@mail.example.",
		},
		"read": {
			after: func(w *world) { w.exec(`UPDATE notifications SET read_at = now()`) },
			inApp: "A notification was created at TIME and was read at TIME.", mail: "Due since TIME, and not tried yet.",
		},
		"failed attempts, with a possible copy": {
			before: others,
			after: func(w *world) {
				w.claims(mail.Mark{Status: mail.StatusDue, Reason: "451 busy.", Ambiguous: true, RetryAfter: time.Minute})
			},
			inApp: came, mail: "Not sent yet with 1 attempt: 451 busy. The next is due at TIME. " +
				"The result of 1 attempt is unknown, so there may be copies.",
		},
		"given up": {
			before: others, after: func(w *world) { w.claims(mail.Mark{Status: mail.StatusFailed, Reason: "550 no such box"}) },
			inApp: came, mail: "Given up after 1 attempt: 550 no such box.",
		},
		"under way": {
			before: others, after: func(w *world) { w.claims(mail.Mark{}) },
			inApp: came, mail: "On its way: attempt 1 is under way.",
		},
		"switched off since": {
			before: others,
			after: func(w *world) {
				w.exec(`UPDATE users SET notification_email_enabled = false`)
				w.claims(mail.Mark{})
			},
			inApp: came, mail: "Not sent: when it was due, the user had e-mail notifications switched off.",
		},
		"quiet hours": {
			before: quiet,
			inApp:  came, mail: "Deferred to TIME (CLOCK WIB) because of the user's quiet hours (now HOURS, Asia/Jakarta).",
		},
		"quiet hours that were switched off since": {
			before: quiet, after: func(w *world) { w.exec(`UPDATE users SET quiet_hours = '', time_zone = 'UTC'`) },
			inApp: came, mail: "Deferred to TIME because of the user's quiet hours.",
		},
		"switched off": {
			before: func(w *world) {
				w.exec(`UPDATE users SET notification_email_enabled = false, notification_in_app_enabled = false`)
			},
			after: func(w *world) {
				w.exec(`UPDATE users SET notification_email_enabled = true, notification_in_app_enabled = true`)
			},
			inApp: "None: the user had in-app notifications switched off.", mail: "None: the user had e-mail notifications switched off.",
		},
		"address not confirmed": {
			before: func(w *world) { w.exec(`UPDATE users SET email_confirmed_at = NULL`) },
			after:  func(w *world) { w.exec(`UPDATE users SET email_confirmed_at = now()`) },
			inApp:  came, mail: "None: the user's address was not confirmed.",
		},
		"address suppressed": {
			before: func(w *world) {
				w.exec(`INSERT INTO mail_suppressions (address, reason) VALUES ('owner@demo.example', '550 5.1.1')`)
			},
			inApp: came, mail: "None: the address was suppressed, since its mail server had said that there is no such mailbox; " +
				"`orderbell mail suppressions list` shows the answer, and `orderbell mail suppressions remove` allows mails again.",
		},
		"address changed since": {
			before: others,
			after: func(w *world) {
				w.exec(`UPDATE users SET email_confirmed_at = NULL`)
				w.claims(mail.Mark{})
			},
			inApp: came, mail: "Not sent: when it was due, the user's address was not confirmed.",
		},
		"not of this event": {
			before: func(w *world) {
				w.exec(`UPDATE users SET notification_email_events = '{}', notification_in_app_events = '{}'`)
			},
			inApp: "None: the user had in-app notifications switched on, but not for order_paid.",
			mail:  "None: the user had e-mail notifications switched on, but not for order_paid.",
		},
		"another role": {
			after: func(w *world) { w.exec(`UPDATE users SET roles = '{kitchen,viewer}' WHERE email LIKE 'kitchen%'`) },
			email: "Kitchen@demo.example",
			inApp: "None: order_paid is for owner, manager, cashier, and the user had no such role (now: kitchen, viewer).",
			mail:  "None: order_paid is for owner, manager, cashier, and the user had no such role (now: kitchen, viewer).",
		},
		"not asked for": {
			status: order.Ready,
			inApp:  "None: order_status_updated notifications are opt-in, and this user had not opted in.",
			mail:   "None: order_status_updated notifications are opt-in, and this user had not opted in.",
		},
		"not there yet": {
			after: func(w *world) {
				w.exec(`INSERT INTO users (id, tenant_id, email, roles) VALUES (gen_random_uuid(), 'demo', 'late@demo.example', '{owner}')`)
			},
			email: "late@demo.example",
			inApp: "None: the user was added later, on TIME.", mail: "None: the user was added later, on TIME.",
		},
		"lost": {
			after: func(w *world) {
				w.exec(`DELETE FROM notifications`)
				w.exec(`DELETE FROM email_deliveries`)
			},
			inApp: "A notification was decided, but does not exist: `orderbell verify` says whether more is missing.",
			mail:  "A mail was decided, but does not exist: `orderbell verify` says whether more is missing.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			if test.before != nil {
				test.before(w)
			}
			if test.status == "" {
				test.status = order.Paid
			}
			if test.email == "" {
				test.email = "owner@demo.example"
			}
			id := w.happens(test.status)
			if test.after != nil {
				test.after(w)
			}
			a := w.explain(id, test.email)
			if len(a.Users) != 1 || !strings.EqualFold(a.Users[0].Email, test.email) {
				t.Fatalf("%+v", a)
			}
			got := []string{plain(a.Users[0].InApp), plain(a.Users[0].Mail)}
			if diff := cmp.Diff([]string{test.inApp, test.mail}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEverybody(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.exec(`UPDATE users SET notification_in_app_events = '{order_status_updated}' WHERE email LIKE 'kitchen%'`)
	id := w.happens(order.Ready)
	w.exec(`UPDATE event_records SET decisions = decisions || $1::jsonb`,
		fmt.Sprintf(`[{"user_id": %q, "channel": "email", "outcome": "due", "reason": ""}]`, uuid.Nil))
	a := w.explain(id, "")
	if a.Untold != 3 || len(a.Users) != 2 {
		t.Fatalf("%+v", a)
	}
	if cook := a.Users[0]; cook.Email != "kitchen@demo.example" || !cmp.Equal(cook.Roles, []string{"kitchen"}) ||
		plain(cook.InApp) != "A notification was created at TIME. It is not read." {
		t.Errorf("%+v", cook)
	}
	if gone := a.Users[1]; gone.UserID != uuid.Nil.String() || gone.Mail != "There was a mail. It was deleted with the user." {
		t.Errorf("%+v", gone)
	}
}

func TestWay(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id := uuid.Must(uuid.NewV7()).String()
	w.exec(`INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at)
		VALUES (0, $1, '/s', 'order_paid', 'demo', gen_random_uuid(), '{"status":"paid","version":2}', now())`, id)
	changed := "The order changed at TIME: it is paid, version 2."
	check := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(strings.Join(want, "\n"), plain(strings.Join(w.explain(id, "owner@demo.example").Way, "\n"))); diff != "" {
			t.Error(diff)
		}
	}
	check(changed, "The event is still in the outbox: outbox-relay sends it to Kafka, look at its log.")
	if mail := w.explain(id, "owner@demo.example").Users[0].Mail; mail != "None: the event has not been applied yet." {
		t.Error(mail)
	}
	w.exec(`UPDATE outbox SET sent_at = now()`)
	check(changed, "The event was sent to Kafka at TIME.",
		"No function has applied it yet: if it could not be delivered, `orderbell deadletter show ID` says why.")
	w.exec(`DELETE FROM outbox`)
	id = w.happens(order.Paid)
	check(changed, "It was applied at TIME, and the recipients were decided then.")

	store := auditstore.New(w.pool)
	for want, ask := range map[string][2]string{
		"there is no event":               {uuid.NewString(), ""},
		"tenant demo, whose event it is":  {id, "owner@kopi.example"},
		"has no user owner@demo.example2": {id, "owner@demo.example2"},
	} {
		if _, err := explain.Event(t.Context(), store, ask[0], ask[1]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
