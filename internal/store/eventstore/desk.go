package eventstore

import (
	"context"
	_ "embed"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/address"
	"orderbell/internal/mail"
	"orderbell/internal/user"
)

//go:embed desk.sql
var deskSQL string

// Mails returns at most limit mails that match the filter, the oldest first.
func (s *Store) Mails(ctx context.Context, f mail.Filter, limit int) ([]mail.Entry, error) {
	args := pgx.NamedArgs{
		"ids": f.IDs, "statuses": f.Statuses, "tenant_id": f.TenantID, "email": address.Canonical(f.Email), "reason": f.Reason, "since": f.Since, "limit": limit,
	}
	rows, err := s.pool.Query(ctx, deskSQL, args)
	if err != nil {
		return nil, wrap("list mails", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e mail.Entry, err error) {
		var sent *time.Time
		err = row.Scan(&e.ID, &e.TenantID, &e.UserID, &e.Email, &e.EventID, &e.EventType, &e.OrderID, &e.MessageID, &e.Status, &e.Reason,
			&e.Attempts, &e.Ambiguous, &e.Next, &sent, &e.Created, &e.Leased, &e.Suppression)
		if sent != nil {
			e.Sent = *sent
		}
		return e, err
	})
	return found, wrap("list mails", err)
}

// Retry makes mails due now, with the full number of attempts, and returns the ids of the changed mails. A mail that
// was sent, is being sent, or whose address is suppressed does not change. The sweeper sends them. It writes an audit
// record of the actor for each tenant.
func (s *Store) Retry(ctx context.Context, ids []string, actor string) ([]string, error) {
	// The number of attempts is the fencing token, so it does not change; earlier attempts are counted as held instead. A claim
	// that was never marked may have sent the mail, and stays recorded as that.
	const sql = `
		WITH changed AS (
			UPDATE email_deliveries d SET status = 'due', reason = '', held = attempt, next_attempt_at = now(), lease_until = NULL,
				ambiguous = ambiguous + (d.status = 'due' AND d.lease_until IS NOT NULL)::integer
			FROM users u
			WHERE d.id = ANY (@ids::uuid[]) AND u.id = d.user_id AND status <> 'sent' AND coalesce(lease_until < now(), true)
				AND NOT EXISTS (SELECT FROM mail_suppressions s WHERE s.address = lower(u.email))
			RETURNING d.id, d.tenant_id
		), noted AS (
			INSERT INTO audit_records (tenant_id, actor, action, target, outcome, detail, times)
			SELECT tenant_id, @actor, 'mail.retried', 'mail:' || min(id::text), 'done', left(string_agg(id::text, ' ' ORDER BY id), 1000), count(*)
			FROM changed GROUP BY tenant_id
		)
		SELECT id::text FROM changed`
	rows, err := s.pool.Query(ctx, sql, pgx.NamedArgs{"ids": ids, "actor": actor})
	if err != nil {
		return nil, wrap("retry mails", err)
	}
	changed, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return changed, wrap("retry mails", err)
}

// Suppressions returns suppressed addresses, the oldest first: those in addresses or, if it is empty, all whose reason
// contains reason.
func (s *Store) Suppressions(ctx context.Context, addresses []string, reason string) ([]mail.Suppression, error) {
	const sql = `
		SELECT address, reason, coalesce(delivery_id::text, ''), since, (SELECT count(*) FROM users u WHERE lower(u.email) = address)
		FROM mail_suppressions
		WHERE (@addresses::text[] IS NULL OR address = ANY (@addresses)) AND strpos(lower(reason), lower(@reason)) > 0
		ORDER BY since, address`
	rows, err := s.pool.Query(ctx, sql, pgx.NamedArgs{"addresses": addresses, "reason": reason})
	if err != nil {
		return nil, wrap("list suppressed addresses", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m mail.Suppression, err error) {
		err = row.Scan(&m.Address, &m.Reason, &m.MailID, &m.Since, &m.Users)
		return m, err
	})
	return found, wrap("list suppressed addresses", err)
}

// Unsuppress removes addresses from the list and returns those that were on it. It writes an audit record of each; the
// list belongs to no tenant.
func (s *Store) Unsuppress(ctx context.Context, addresses []string, actor string) ([]string, error) {
	const sql = `
		WITH removed AS (
			DELETE FROM mail_suppressions WHERE address = ANY ($1::text[]) RETURNING address, reason
		), noted AS (
			INSERT INTO audit_records (tenant_id, actor, action, target, outcome, detail)
			SELECT $2, $3, 'suppression.removed', left('address:' || address, 300), 'done', left(reason, 1000) FROM removed
		)
		SELECT address FROM removed`
	rows, err := s.pool.Query(ctx, sql, addresses, user.NoTenant, actor)
	if err != nil {
		return nil, wrap("remove suppressed addresses", err)
	}
	removed, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return removed, wrap("remove suppressed addresses", err)
}
