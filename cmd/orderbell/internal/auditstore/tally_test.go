package auditstore_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/cmd/orderbell/internal/auditstore"
	"orderbell/internal/audit"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/user"
)

// TestTally moves one event from hop to hop.
func TestTally(t *testing.T) {
	t.Parallel()
	pool := databasetest.New(t)
	store := auditstore.New(pool)
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	since := time.Now().Add(-time.Minute)
	watched := audit.Watched{Since: since, Tenants: []string{tenant}, Loaded: []time.Time{{}}, Seen: []string{}}
	expect := func(when string, want audit.Tally, onTheWay int64) {
		t.Helper()
		got, err := store.Tally(t.Context(), watched)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", when, diff)
		}
		if got.OnTheWay() != onTheWay {
			t.Errorf("%s: %d on the way, want %d", when, got.OnTheWay(), onTheWay)
		}
	}
	expect("at first", audit.Tally{}, 0)

	exec(`INSERT INTO tenants (id, name) VALUES ($1, 'Demo')`, tenant)
	exec(`INSERT INTO users (id, tenant_id, email, roles) VALUES ($1, $2, 'ana@demo.example', '{owner}')`, ana, tenant)
	const made = `INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at, created_at)
		VALUES (0, $1, '/s', 'order_paid', $2, $3, '{}', $4, $4)`
	now := time.Now()
	exec(made, eventID, tenant, orderID, now)
	exec(made, ana, tenant, orderID, since.Add(-time.Second)) // before
	exec(made, budi, "kopi", orderID, now)                    // another tenant's
	expect("it is made", audit.Tally{Made: 1, Apart: 1}, 1)

	watched.Seen = []string{eventID, eventID}
	expect("it was seen twice", audit.Tally{Made: 1, Seen: 1, Apart: 1}, 1)
	watched.Seen, watched.Loaded[0] = []string{}, now.Add(time.Second)
	expect("a later snapshot had it", audit.Tally{Made: 1, Seen: 1, Apart: 1}, 1)
	watched.Loaded[0] = now.Add(-time.Second)
	expect("an earlier snapshot had not", audit.Tally{Made: 1, Apart: 1}, 1)
	watched.Seen = []string{eventID}

	exec(`INSERT INTO event_records (event_day, source, event_id, type, tenant_id, order_id, order_version, data_hash, data, occurred_at)
		VALUES ($4::timestamptz::date, '/s', $1, 'order_paid', $2, $3, 2, '', '{}', $4::timestamptz)`, eventID, tenant, orderID, now.UTC())
	exec(`INSERT INTO notifications (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data)
		VALUES (gen_random_uuid(), $1, $2, '/s', $3, 'order_paid', $4, '{}')`, tenant, ana, eventID, orderID)
	exec(`INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, message_id)
		VALUES (gen_random_uuid(), $1, $2, '/s', $3, 'order_paid', $4, '{}', 'm')`, tenant, ana, eventID, orderID)
	arrived := audit.Tally{Made: 1, InInbox: 1, Seen: 1, Notifications: 1, Mails: 1}
	expect("its mail is due", arrived, 1)
	watched.Seen = []string{}
	unseen := arrived
	unseen.Seen, unseen.Apart = 0, 1
	expect("it is in the inbox, and was not seen", unseen, 2)
	watched.Seen = []string{eventID}

	exec(`UPDATE email_deliveries SET reason = $1`, user.ByQuietHours)
	deferred := arrived
	deferred.Deferred = 1
	expect("its mail waits for the morning", deferred, 0)
	exec(`UPDATE email_deliveries SET status = 'suppressed', reason = 'no such mailbox'`)
	givenUp := arrived
	givenUp.GivenUp = 1
	expect("its mail is not sent, for a reason", givenUp, 0)
	exec(`UPDATE email_deliveries SET status = 'sent', sent_at = now()`)
	mailed := arrived
	mailed.Mailed = 1
	expect("its mail is sent", mailed, 0)
}
