package userstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/store/database"
	"orderbell/internal/user"
)

const subscription = `SELECT u.email, t.name, t.locale, u.notification_email_enabled,
		EXISTS (SELECT FROM optouts WHERE id = $3) AS used
	FROM users u JOIN tenants t ON t.id = u.tenant_id WHERE u.tenant_id = $1 AND u.id = $2`

// found is a subscription, and whether its link was used.
type found struct {
	user.Subscription

	used bool
}

func scanSubscription(row pgx.CollectableRow) (f found, err error) {
	err = row.Scan(&f.Email, &f.TenantName, &f.Locale, &f.Enabled, &f.used)
	return f, err
}

// Subscription returns what the link is for and changes nothing. Errors: [user.ErrNotFound], and with the subscription
// [user.ErrUsed].
func (s *Store) Subscription(ctx context.Context, o user.OptOut) (user.Subscription, error) {
	f, err := database.CollectOne(ctx, s.pool, o.TenantID, scanSubscription, subscription, o.TenantID, o.UserID, o.MailID)
	if err == nil && f.used {
		err = user.ErrUsed
	}
	return f.Subscription, outcome("find subscription", err)
}

// OptOut marks the link as used, switches the user's e-mail off and writes an audit record. Errors: [user.ErrNotFound],
// and with the subscription [user.ErrUsed]; of two concurrent calls, one gets it.
func (s *Store) OptOut(ctx context.Context, o user.OptOut, by user.Act) (ended user.Subscription, err error) {
	const use = `INSERT INTO optouts (id, tenant_id, user_id, expires_at) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`
	const off = `UPDATE users SET notification_email_enabled = false, version = version + 1, updated_at = clock_timestamp()
		WHERE tenant_id = $1 AND id = $2 AND notification_email_enabled`
	err = database.InTenant(ctx, s.pool, o.TenantID, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, subscription, o.TenantID, o.UserID, o.MailID)
		if err != nil {
			return err
		}
		f, err := pgx.CollectExactlyOneRow(rows, scanSubscription)
		if err != nil {
			return err
		}
		ended = f.Subscription
		used, err := tx.Exec(ctx, use, o.MailID, o.TenantID, o.UserID, o.Expires)
		if err != nil {
			return err
		}
		if used.RowsAffected() == 0 {
			// The request that used it may have come between the two statements above.
			if rows, err = tx.Query(ctx, subscription, o.TenantID, o.UserID, o.MailID); err != nil {
				return err
			}
			if f, err = pgx.CollectExactlyOneRow(rows, scanSubscription); err != nil {
				return err
			}
			ended = f.Subscription
			return user.ErrUsed
		}
		ended.Enabled = false
		if _, err = tx.Exec(ctx, off, o.TenantID, o.UserID); err != nil {
			return err
		}
		return addRecord(ctx, tx, record(by, o.TenantID, "user.unsubscribed", o.UserID, "by the link of mail "+o.MailID))
	})
	return ended, outcome("opt out", err)
}

// ForgetOptOuts removes at most limit used links that expired before then, and returns how many it removed.
func (s *Store) ForgetOptOuts(ctx context.Context, before time.Time, limit int) (int64, error) {
	const sql = `DELETE FROM optouts WHERE id IN (SELECT id FROM optouts WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`
	tag, err := s.pool.Exec(ctx, sql, before, limit)
	return tag.RowsAffected(), database.Wrap("forget used unsubscribe links", err)
}
