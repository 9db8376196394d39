//go:build chaos

package chaos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// finding is one broken promise, with the ids that break it.
type finding struct {
	what      string
	duplicate bool // too many rather than too few
	which     []string
}

func (f finding) String() string {
	first := f.which
	if len(first) > 3 {
		first = append(slices.Clone(first[:3]), "…")
	}
	return fmt.Sprintf("%d × %s: %s", len(f.which), f.what, strings.Join(first, ", "))
}

// querier is the database, or a transaction that will be rolled back.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// promise is checked by a query that returns the offenders among the tenants $1.
type promise struct {
	what      string // what an offender is
	duplicate bool
	sql       string
}

func promises() []promise {
	return []promise{
		{"order whose changes are not in the outbox", false, `
			SELECT id::text FROM (
				SELECT id, version AS expected, 0 AS found FROM orders WHERE tenant_id = ANY ($1)
				UNION ALL SELECT order_id, 0, 1 FROM outbox WHERE tenant_id = ANY ($1)
			) x GROUP BY id HAVING sum(expected) <> sum(found)`},
		{"order created twice by one request", true, `
			SELECT min(id::text) FROM orders WHERE tenant_id = ANY ($1) GROUP BY tenant_id, reference HAVING count(*) > 1`},
		{"event that was not sent", false, `
			SELECT event_id::text FROM outbox WHERE tenant_id = ANY ($1) AND sent_at IS NULL`},
		{"event without a record", false, `
			SELECT o.event_id::text FROM outbox o LEFT JOIN event_records r ON r.event_id = o.event_id
			WHERE o.tenant_id = ANY ($1) AND r.event_id IS NULL`},
		{"event with several records", true, `
			SELECT event_id::text FROM event_records WHERE tenant_id = ANY ($1) GROUP BY event_id HAVING count(*) > 1`},
		{"record of an event that was never sent", true, `
			SELECT r.event_id::text FROM event_records r LEFT JOIN outbox o ON o.event_id = r.event_id
			WHERE r.tenant_id = ANY ($1) AND o.event_id IS NULL`},
		{"user without a notification", false, missing("notifications", "notification_in_app_enabled")},
		{"user with a notification too many", true, extra("notifications", "notification_in_app_enabled")},
		{"user without a mail", false, missing("email_deliveries", "notification_email_enabled")},
		{"user with a mail too many", true, extra("email_deliveries", "notification_email_enabled")},
	}
}

// eligible selects the recipients of each payment among the users of the tenants $1.
const eligible = `
	SELECT o.event_id, u.id AS user_id FROM outbox o JOIN users u ON u.tenant_id = o.tenant_id
	WHERE o.tenant_id = ANY ($1) AND o.type = 'order_paid' AND u.roles && ARRAY['owner', 'manager', 'cashier'] AND u.`

func missing(table, preference string) string {
	return `SELECT e.event_id || ' for ' || e.user_id FROM (` + eligible + preference + `) e
		LEFT JOIN ` + table + ` x ON x.event_id = e.event_id AND x.user_id = e.user_id WHERE x.id IS NULL`
}

func extra(table, preference string) string {
	return `SELECT x.event_id || ' for ' || x.user_id FROM ` + table + ` x
		LEFT JOIN (` + eligible + preference + `) e ON x.event_id = e.event_id AND x.user_id = e.user_id
		WHERE x.tenant_id = ANY ($1) GROUP BY x.event_id, x.user_id HAVING count(*) > 1 OR count(e.user_id) = 0`
}

func rows(ctx context.Context, q querier, sql string, args ...any) ([]string, error) {
	r, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(r, pgx.RowTo[string])
}

// verify returns the broken promises in the tenants of an episode, except those of mails: see [world.mails].
func (e *episode) verify(ctx context.Context, q querier) ([]finding, error) {
	var found []finding
	add := func(what string, duplicate bool, which []string) {
		if len(which) > 0 {
			found = append(found, finding{what, duplicate, which})
		}
	}
	for _, p := range promises() {
		which, err := rows(ctx, q, p.sql, ids(e.tenants))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.what, err)
		}
		add(p.what, p.duplicate, which)
	}
	stored, err := e.stored(ctx, q)
	if err != nil {
		return nil, err
	}
	var lost []string
	for id, version := range e.load.answers() {
		if stored[id].Version < version {
			lost = append(lost, id)
		}
	}
	add("order or change that was acknowledged and is missing", false, lost)
	if err := e.verifyStreams(ctx, q, add); err != nil {
		return nil, err
	}
	for _, x := range e.watchers {
		if wrong := x.differs(stored, e.tenantOf); len(wrong) > 0 {
			add("order with a wrong state in the list of the "+x.name, false, wrong)
		}
		want, err := rows(ctx, q, `SELECT n.id::text FROM notifications n JOIN users u ON u.id = n.user_id
			WHERE n.tenant_id = $1 AND u.roles && ARRAY[$2]`, x.tenant.id, strings.Fields(x.name)[0])
		if err != nil {
			return nil, err
		}
		missing, unexpected := x.notifications(want)
		add("notification that the "+x.name+" did not receive", false, missing)
		add("notification to the "+x.name+" that does not exist", true, unexpected)
	}
	return found, nil
}

// stored returns the orders in the database, and records the tenant of each in tenantOf.
func (e *episode) stored(ctx context.Context, q querier) (map[string]entry, error) {
	r, err := q.Query(ctx, `SELECT id::text, tenant_id, version, status FROM orders WHERE tenant_id = ANY ($1)`, ids(e.tenants))
	if err != nil {
		return nil, err
	}
	stored := map[string]entry{}
	var id, tenant, status string
	var version int64
	_, err = pgx.ForEachRow(r, []any{&id, &tenant, &version, &status}, func() error {
		stored[id] = entry{version, status}
		e.tenantOf[id] = tenant
		return nil
	})
	return stored, err
}

// differs returns the orders whose state in the watcher's list is not the database's.
func (x *watcher) differs(stored map[string]entry, tenantOf map[string]string) []string {
	var wrong []string
	list := x.orders()
	for id, want := range stored {
		if tenantOf[id] == x.tenant.id && list[id] != want {
			wrong = append(wrong, id)
		}
	}
	for id := range list {
		if _, ok := stored[id]; !ok {
			wrong = append(wrong, id)
		}
	}
	slices.Sort(wrong)
	return wrong
}

// notifications compares the notifications that the watcher received with those it should have received.
func (x *watcher) notifications(want []string) (missing, unexpected []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	known := map[string]bool{}
	for _, id := range want {
		known[id] = true
		if !x.news[id] && !x.missed {
			missing = append(missing, id)
		}
	}
	for id := range x.news {
		if !known[id] {
			unexpected = append(unexpected, id)
		}
	}
	return missing, unexpected
}

// verifyStreams checks that each event that was recorded after Redis last lost data is in Redis exactly once.
func (e *episode) verifyStreams(ctx context.Context, q querier, add func(string, bool, []string)) error {
	for _, s := range e.tenants {
		messages, err := e.w.memory.XRange(ctx, "orders:{"+s.id+"}:stream", "-", "+").Result()
		if err != nil {
			return err
		}
		since := e.w.redisLost
		if len(messages) >= e.w.streamLength { // the oldest were cut off
			var ms int64
			if _, err := fmt.Sscanf(messages[0].ID, "%d-", &ms); err != nil {
				return err
			}
			if oldest := time.UnixMilli(ms).Add(5 * time.Second); oldest.After(since) {
				since = oldest
			}
		}
		times := map[string]int{}
		for _, m := range messages {
			id, err := eventOf(m)
			if err != nil {
				return err
			}
			times[id]++
		}
		want, err := rows(ctx, q, `SELECT event_id::text FROM event_records WHERE tenant_id = $1 AND received_at > $2`, s.id, since)
		if err != nil {
			return err
		}
		var missing, repeated []string
		for _, id := range want {
			if times[id] == 0 {
				missing = append(missing, id)
			}
		}
		for id, n := range times {
			if n > 1 {
				repeated = append(repeated, id)
			}
		}
		add("event that is not in the stream of "+s.id, false, missing)
		add("event that is duplicated in the stream of "+s.id, true, repeated)
	}
	return nil
}

// eventOf returns the id of the event in a stream's entry.
func eventOf(m redis.XMessage) (string, error) {
	var payload struct{ ID string }
	text, _ := m.Values["d"].(string)
	if err := json.Unmarshal([]byte(text), &payload); err != nil {
		return "", fmt.Errorf("entry %s: %w", m.ID, err)
	}
	return payload.ID, nil
}
