package sweep_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/metric/noop"

	"orderbell/functions/delivery-sweeper/internal/sweep"
	"orderbell/functions/internal/mail/delivery"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/store/orderstore"
	"orderbell/internal/store/outbox"
	"orderbell/internal/store/userstore"
)

// testBundle is a sweeper on real stores, whose mail records its calls.
type testBundle struct {
	*sweep.Sweeper
	exec    func(sql string)
	numbers func(sql string) []int

	log bytes.Buffer // at level INFO; read when no sweep runs

	mu        sync.Mutex
	tally     delivery.Tally
	mailError error
	workers   int
	stopAt    time.Time
}

func config() sweep.Config {
	return sweep.Config{Timeout: time.Hour, KeepSent: 24 * time.Hour, AuditDays: 400, NotificationDays: 90, MailDays: 90}
}

func setup(t *testing.T, cfg sweep.Config) *testBundle {
	t.Helper()
	pool := databasetest.New(t)
	b := &testBundle{
		exec: func(sql string) {
			if _, err := pool.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		},
		numbers: func(sql string) (got []int) {
			if err := pool.QueryRow(t.Context(), sql).Scan(&got); err != nil {
				t.Fatal(err)
			}
			return got
		},
	}
	s, err := sweep.New(cfg, 45, 3, eventstore.New(pool, ""), outbox.New(pool), orderstore.New(pool),
		userstore.New(pool), userstore.New(pool), mail{b},
		slog.New(slog.NewTextHandler(&b.log, nil)), noop.NewMeterProvider().Meter(""))
	if err != nil {
		t.Fatal(err)
	}
	b.Sweeper = s
	return b
}

func (b *testBundle) sweep(t *testing.T) error {
	t.Helper()
	return b.Sweep(t.Context())
}

// days are those that event_records has a partition for; 0 is today.
func (b *testBundle) days() []int {
	return b.numbers(`SELECT array_agg(d ORDER BY d) FROM (
		SELECT to_date(right(relname, 8), 'YYYYMMDD') - (now() AT TIME ZONE 'UTC')::date AS d
		FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = 'event_records'::regclass) AS days`)
}

func TestSweep(t *testing.T) {
	t.Parallel()
	t.Run("coming days are created, expired ones are dropped except for a spare one", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.exec(`DO $$ DECLARE d text; BEGIN
			FOR d IN SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'event_records'::regclass
			LOOP EXECUTE 'DROP TABLE ' || d; END LOOP; END $$`)
		for _, age := range []string{"60", "47", "46", "45"} {
			b.exec(`SELECT ensure_event_record_partitions(d, d) FROM (SELECT (now() AT TIME ZONE 'UTC')::date - ` + age + ` AS d) AS day`)
		}
		if err := b.sweep(t); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int{-46, -45, -1, 0, 1, 2, 3, 4, 5, 6, 7}, b.days()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("all sent outbox rows, old keys and expired links are removed, the others stay", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.exec(`INSERT INTO tenants (id, name) VALUES ('demo', 'Kopi')`)
		b.exec(`INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at, sent_at)
			SELECT 0, gen_random_uuid(), '/test', 'order_paid', 'demo', gen_random_uuid(), '', now(),
				CASE WHEN n <= 2500 THEN now() - interval '25 hours' WHEN n = 2501 THEN now() - interval '23 hours' END
			FROM generate_series(1, 2502) AS n`)
		b.exec(`INSERT INTO idempotency_keys (tenant_id, key, request_hash, status, body, created_at)
			SELECT 'demo', n::text, '', 201, '', now() - CASE WHEN n <= 1500 THEN interval '25 hours' ELSE interval '23 hours' END
			FROM generate_series(1, 1501) AS n`)
		b.exec(`INSERT INTO users (id, tenant_id, email, roles) VALUES (gen_random_uuid(), 'demo', 'a@b.example', '{owner}')`)
		b.exec(`INSERT INTO optouts (id, tenant_id, user_id, expires_at)
			SELECT gen_random_uuid(), tenant_id, id, now() + n * interval '1 hour' FROM users, unnest(ARRAY[-1, 1]) AS n`)
		b.exec(`INSERT INTO confirmation_mails (address, tenant_id, delivery_id, at) VALUES
			('a@b.example', 'demo', gen_random_uuid(), now() - interval '25 hours'), ('c@d.example', 'demo', gen_random_uuid(), now())`)
		b.exec(`INSERT INTO audit_records (tenant_id, at, actor, action, outcome)
			SELECT 'demo', now() - CASE WHEN n <= 1500 THEN interval '401 days' ELSE interval '399 days' END, '', 'user.changed', 'done' FROM generate_series(1, 1501) AS n`)
		b.exec(`INSERT INTO refusals (tenant_id, day, action, actor, address, detail, times)
			SELECT 'demo', current_date - CASE WHEN n <= 1500 THEN 92 ELSE 88 END, 'sign_in', 'user:' || n, '', '', 1 FROM generate_series(1, 1501) AS n`)
		b.exec(`INSERT INTO revocations (tenant_id, token_id, at, until) VALUES ('demo', 'a', now(), now() - interval '1 minute'), ('demo', 'b', now(), now() + interval '1 minute')`)
		if err := b.sweep(t); err != nil {
			t.Fatal(err)
		}
		const left = `SELECT ARRAY[(SELECT count(*) FROM outbox), (SELECT count(*) FROM idempotency_keys), (SELECT count(*) FROM optouts),
			(SELECT count(*) FROM confirmation_mails), (SELECT count(*) FROM audit_records), (SELECT count(*) FROM refusals), (SELECT count(*) FROM revocations)]`
		if diff := cmp.Diff([]int{2, 1, 1, 1, 1, 1, 1}, b.numbers(left)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("old notifications and finished mails are removed, due ones and later ones stay", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.exec(`INSERT INTO tenants (id, name) VALUES ('demo', 'Kopi')`)
		b.exec(`INSERT INTO users (id, tenant_id, email, roles) VALUES (gen_random_uuid(), 'demo', 'a@b.example', '{owner}')`)
		const days = ` FROM users, generate_series(1, 1501) AS n, LATERAL (SELECT CASE WHEN n <= 1500 THEN 91 ELSE 89 END) AS v (days)`
		b.exec(`INSERT INTO notifications (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, created_at)
			SELECT gen_random_uuid(), tenant_id, id, '/s', gen_random_uuid(), 'order_paid', gen_random_uuid(), '{}', now() - make_interval(days => days)` + days)
		b.exec(`INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, message_id, status, created_at)
			SELECT gen_random_uuid(), tenant_id, id, '/s', gen_random_uuid(), 'order_paid', gen_random_uuid(), '{}', n::text,
				CASE WHEN n = 7 THEN 'due' WHEN n = 8 THEN 'failed' ELSE 'sent' END, now() - make_interval(days => days)` + days)
		if err := b.sweep(t); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int{1, 1, 1}, b.numbers(`SELECT ARRAY[(SELECT count(*) FROM notifications), (SELECT count(*) FROM email_deliveries WHERE status = 'due'),
			(SELECT count(*) FROM email_deliveries WHERE status <> 'due')]`)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a concurrent sweep does no harm", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.exec(`SELECT ensure_event_record_partitions(current_date - 60, current_date - 47)`)
		errs := make(chan error)
		for range 2 {
			go func() { errs <- b.Sweep(context.Background()) }()
		}
		if err := errors.Join(<-errs, <-errs); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]int{-1, 0, 1, 2, 3, 4, 5, 6, 7}, b.days()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("mail gets all lines, and three quarters of the time", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
		defer cancel()
		if err := b.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		if left := time.Until(b.stopAt); b.workers != 3 || left > 15*time.Minute || left < 13*time.Minute {
			t.Errorf("%d lines, for %s", b.workers, left)
		}
	})
	t.Run("a part that fails is reported, and stops no other", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.mailError = errors.New("no server")
		b.exec(`ALTER TABLE outbox RENAME TO gone`)
		b.exec(`INSERT INTO tenants (id, name) VALUES ('demo', 'Kopi')`)
		b.exec(`INSERT INTO idempotency_keys (tenant_id, key, request_hash, status, body, created_at)
			VALUES ('demo', 'k', '', 201, '', now() - interval '2 days')`)
		err := b.sweep(t)
		if err == nil || !strings.Contains(err.Error(), "no server") || !strings.Contains(err.Error(), "forget sent events") {
			t.Errorf("got %v", err)
		}
		if diff := cmp.Diff([]int{0}, b.numbers(`SELECT ARRAY[count(*)] FROM idempotency_keys`)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("only a sweep that did something is logged", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		if err := b.sweep(t); err != nil { // creates the coming days
			t.Fatal(err)
		}
		b.log.Reset()
		for _, tally := range []delivery.Tally{{}, {Waiting: 3, Sent: 2, Retried: 1}, {}} {
			b.tally = tally
			if err := b.sweep(t); err != nil {
				t.Fatal(err)
			}
		}
		got := b.log.String()
		if strings.Count(got, "\n") != 1 || !strings.Contains(got, "msg=swept") || !strings.Contains(got, "waiting=3 sent=2 retried=1") {
			t.Errorf("the log says %s", got)
		}
	})
	t.Run("nothing is removed after the deadline", func(t *testing.T) {
		t.Parallel()
		cfg := config()
		cfg.Timeout = time.Nanosecond
		b := setup(t, cfg)
		b.exec(`INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at, sent_at)
			VALUES (0, gen_random_uuid(), '/test', 'order_paid', 'demo', gen_random_uuid(), '', now(), now() - interval '2 days')`)
		if err := b.sweep(t); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int{1}, b.numbers(`SELECT ARRAY[count(*)] FROM outbox`)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		cfg       sweep.Config
		retention int
	}{
		"SWEEP_TIMEOUT":                {sweep.Config{}, 45},
		"OUTBOX_KEEP_SENT":             {sweep.Config{Timeout: time.Second, KeepSent: -1}, 45},
		"AUDIT_RETENTION_DAYS":         {sweep.Config{Timeout: time.Second, NotificationDays: 90, MailDays: 90}, 45},
		"NOTIFICATIONS_RETENTION_DAYS": {sweep.Config{Timeout: time.Second, NotificationDays: 46, MailDays: 90, AuditDays: 1}, 45},
		"MAIL_RETENTION_DAYS":          {sweep.Config{Timeout: time.Second, NotificationDays: 90, MailDays: 46, AuditDays: 1}, 45},
		"EVENT_RECORDS_RETENTION_DAYS": {config(), 0},
	} {
		t.Run(name+" is named if it is wrong", func(t *testing.T) {
			t.Parallel()
			_, err := sweep.New(tt.cfg, tt.retention, 1, nil, nil, nil, nil, nil, nil, nil, nil)
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// mail is the testBundle as the sweeper sees it.
type mail struct{ *testBundle }

func (m mail) Sweep(_ context.Context, workers int, stopAt time.Time) (delivery.Tally, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.workers, m.stopAt = workers, stopAt
	return m.tally, m.mailError
}
