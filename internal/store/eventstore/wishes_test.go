package eventstore_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/event"
	"orderbell/internal/store/database"
	"orderbell/internal/user"
)

// around returns quiet hours, in UTC, that began an hour ago and end in an hour.
func around(at time.Time) string {
	return at.UTC().Add(-time.Hour).Format("15:04") + "-" + at.UTC().Add(time.Hour).Format("15:04")
}

// decided returns the stored decisions of the only event, without users.
func decided(t *testing.T, pool *database.Pool) []user.Decision {
	t.Helper()
	var raw []byte
	if err := pool.QueryRow(t.Context(), "SELECT decisions FROM event_records").Scan(&raw); err != nil {
		t.Fatal(err)
	}
	var all []user.Decision
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		all[i].UserID = ""
	}
	return all
}

func TestWishes(t *testing.T) {
	t.Parallel()
	onRequest := user.Audience{Roles: user.Workers(), OnRequest: true}
	inApp := func(v user.Verdict, why string) user.Decision {
		return user.Decision{Channel: user.InApp, Outcome: v, Reason: why}
	}
	email := func(v user.Verdict, why string) user.Decision {
		return user.Decision{Channel: user.Email, Outcome: v, Reason: why}
	}
	for name, tt := range map[string]struct {
		wish                 string // of the one user
		role                 user.Role
		audience             user.Audience
		want                 []user.Decision
		notifications, mails int
		waiting, dueNow      int
	}{
		"by default a user is notified of payments": {
			"name = name", user.Owner, sellers(), []user.Decision{inApp(user.Notified, ""), email(user.Due, "")}, 1, 1, 0, 1,
		},
		"a user without mails of payments gets none": {
			"notification_email_events = '{}'", user.Owner, sellers(),
			[]user.Decision{inApp(user.Notified, ""), email(user.Suppressed, user.ByEventPreference)},
			1, 0, 0, 0,
		},
		"a user with mails only": {
			"notification_in_app_events = '{order_created}'", user.Owner, sellers(),
			[]user.Decision{inApp(user.Suppressed, user.ByEventPreference), email(user.Due, "")},
			0, 1, 0, 1,
		},
		"a channel that is off overrides the chosen types": {
			"notification_email_enabled = false, notification_email_events = '{}'", user.Owner, sellers(),
			[]user.Decision{inApp(user.Notified, ""), email(user.Suppressed, user.ByPreference)},
			1, 0, 0, 0,
		},
		"quiet hours delay mails, not the inbox": {
			"quiet_hours = '" + around(time.Now()) + "'", user.Owner, sellers(),
			[]user.Decision{inApp(user.Notified, ""), email(user.Deferred, user.ByQuietHours)},
			1, 1, 1, 0,
		},
		"quiet hours of an unknown zone are in UTC": {
			"time_zone = 'Mars/Olympus', quiet_hours = '" + around(time.Now()) + "'", user.Owner, sellers(),
			[]user.Decision{inApp(user.Notified, ""), email(user.Deferred, user.ByQuietHours)},
			1, 1, 1, 0,
		},
		"quiet hours at another time of the day have no effect": {
			"quiet_hours = '" + around(time.Now().Add(12*time.Hour)) + "'", user.Owner, sellers(),
			[]user.Decision{inApp(user.Notified, ""), email(user.Due, "")},
			1, 1, 0, 1,
		},
		"of opt-in events nothing is stored for users who have not opted in": {
			"name = name", user.Owner, onRequest, []user.Decision{}, 0, 0, 0, 0,
		},
		"a user who opts in for the inbox gets opt-in events there": {
			"notification_in_app_events = '{order_created}'", user.Owner, onRequest,
			[]user.Decision{inApp(user.Notified, ""), email(user.Suppressed, user.ByEventPreference)},
			1, 0, 0, 0,
		},
		"a user who opts in for one channel": {
			"notification_email_events = '{order_created}'", user.Kitchen, onRequest,
			[]user.Decision{inApp(user.Suppressed, user.ByEventPreference), email(user.Due, "")},
			0, 1, 0, 1,
		},
		"opting in has no effect without the role": {
			"notification_email_events = '{order_created}', quiet_hours = '" + around(time.Now()) + "'", user.Viewer, onRequest,
			[]user.Decision{inApp(user.Suppressed, user.ByRole), email(user.Suppressed, user.ByRole)},
			0, 0, 0, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, pool := setup(t, account{id: testUser(1), role: tt.role})
			exec(t, pool, "UPDATE users SET "+tt.wish+" WHERE tenant_id = 'demo'")
			e := paid(t)
			if tt.audience.OnRequest {
				e.Type = event.OrderCreated
			}
			r, err := s.Apply(t.Context(), e, tt.audience)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, decided(t, pool)); diff != "" {
				t.Error(diff)
			}
			got := []int{
				len(r.Recipients), count(t, pool, "SELECT count(*) FROM email_deliveries"),
				count(t, pool, "SELECT count(*) FROM email_deliveries WHERE next_attempt_at > now() AND reason = 'quiet hours'"), r.DueMails,
			}
			if diff := cmp.Diff([]int{tt.notifications, tt.mails, tt.waiting, tt.dueNow}, got); diff != "" {
				t.Errorf("notifications, mails, of them waiting, due now: %s", diff)
			}
			again, err := s.Apply(t.Context(), e, tt.audience)
			if err != nil || again.Outcome != event.Duplicate || again.DueMails != r.DueMails || !cmp.Equal(r.Recipients, again.Recipients) {
				t.Errorf("the same again: %+v, %v, after %+v", again, err, r)
			}
		})
	}
}

func TestQuietUntil(t *testing.T) {
	t.Parallel()
	_, pool := setup(t)
	for name, tt := range map[string]struct{ moment, zone, hours, want string }{
		"none chosen":                         {"2026-11-24T22:30:00Z", "UTC", "", ""},
		"at night, before midnight":           {"2026-11-24T22:30:00Z", "UTC", "22:00-07:00", "2026-11-25T07:00:00Z"},
		"at night, after midnight":            {"2026-11-25T03:00:00Z", "UTC", "22:00-07:00", "2026-11-25T07:00:00Z"},
		"the first minute":                    {"2026-11-24T22:00:00Z", "UTC", "22:00-07:00", "2026-11-25T07:00:00Z"},
		"their end":                           {"2026-11-25T07:00:00Z", "UTC", "22:00-07:00", ""},
		"the last second before they begin":   {"2026-11-24T21:59:59Z", "UTC", "22:00-07:00", ""},
		"in the middle of a day":              {"2026-11-24T13:15:00Z", "UTC", "12:00-14:00", "2026-11-24T14:00:00Z"},
		"before the middle of a day":          {"2026-11-24T11:59:00Z", "UTC", "12:00-14:00", ""},
		"in one day, before they begin":       {"2026-11-24T00:30:00Z", "UTC", "12:00-14:00", ""},
		"in one day, the first second":        {"2026-11-24T12:00:00Z", "UTC", "12:00-14:00", "2026-11-24T14:00:00Z"},
		"in one day, the last second before":  {"2026-11-24T11:59:59Z", "UTC", "12:00-14:00", ""},
		"in one day, the last second":         {"2026-11-24T13:59:59Z", "UTC", "12:00-14:00", "2026-11-24T14:00:00Z"},
		"in one day, their end":               {"2026-11-24T14:00:00Z", "UTC", "12:00-14:00", ""},
		"in one day, after their end":         {"2026-11-24T23:59:59Z", "UTC", "12:00-14:00", ""},
		"from midnight, the first second":     {"2026-11-24T00:00:00Z", "UTC", "00:00-06:00", "2026-11-24T06:00:00Z"},
		"from midnight, their end":            {"2026-11-24T06:00:00Z", "UTC", "00:00-06:00", ""},
		"from midnight, before it":            {"2026-11-24T23:59:59Z", "UTC", "00:00-06:00", ""},
		"until midnight, its first second":    {"2026-11-25T00:00:00Z", "UTC", "20:00-00:00", ""},
		"until midnight, before they begin":   {"2026-11-24T19:59:59Z", "UTC", "20:00-00:00", ""},
		"until midnight":                      {"2026-11-24T23:59:00Z", "UTC", "20:00-00:00", "2026-11-25T00:00:00Z"},
		"by the user's clock":                 {"2026-11-24T16:00:00Z", "Asia/Jakarta", "22:00-07:00", "2026-11-25T00:00:00Z"},
		"not by the server's":                 {"2026-11-24T23:00:00Z", "America/Los_Angeles", "22:00-07:00", ""},
		"the night that has an hour less":     {"2027-03-28T00:30:00Z", "Europe/Berlin", "22:00-07:00", "2027-03-28T05:00:00Z"},
		"the night that has an hour more":     {"2026-10-25T00:30:00Z", "Europe/Berlin", "22:00-07:00", "2026-10-25T06:00:00Z"},
		"an end in the hour that is repeated": {"2026-10-25T00:40:00Z", "Europe/Berlin", "22:00-02:30", ""},
		"an end in the hour that is left out": {"2027-03-28T00:30:00Z", "Europe/Berlin", "22:00-02:30", "2027-03-28T01:30:00Z"},
		"an unknown zone":                     {"2026-11-24T22:30:00Z", "Mars/Olympus", "22:00-07:00", "2026-11-25T07:00:00Z"},
	} {
		var got *time.Time
		if err := pool.QueryRow(t.Context(), "SELECT quiet_until($1::text::timestamptz, $2, $3)", tt.moment, tt.zone, tt.hours).Scan(&got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text := ""
		if got != nil {
			text = got.UTC().Format(time.RFC3339)
		}
		if text != tt.want {
			t.Errorf("%s: %q, want %q", name, text, tt.want)
		}
	}
}

// TestTimeZones holds the list of zones that users choose from to what PostgreSQL knows: an unknown zone would be taken for UTC.
func TestTimeZones(t *testing.T) {
	t.Parallel()
	_, pool := setup(t)
	rows, err := pool.Query(t.Context(), `SELECT name FROM unnest($1::text[]) AS name WHERE name NOT IN (SELECT name FROM pg_timezone_names)`, user.TimeZones())
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(unknown) != 0 {
		t.Errorf("PostgreSQL does not know %v, %v", unknown, err)
	}
}

// BenchmarkQuietHours is what a user with quiet hours adds to an event.
func BenchmarkQuietHours(b *testing.B) {
	for name, hours := range map[string]string{"none": "", "night": "22:00-07:00"} {
		b.Run(name, func(b *testing.B) {
			users := make([]account, 10)
			for i := range users {
				users[i] = account{id: testUser(i), role: user.Owner}
			}
			s, pool := setup(b, users...)
			exec(b, pool, "UPDATE users SET quiet_hours = $1", hours)
			for b.Loop() {
				if _, err := s.Apply(context.Background(), paid(b), sellers()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
