package eventstore

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/mail"
)

//go:embed claim.sql
var claimSQL string

//go:embed tenants.sql
var tenantsSQL string

// ClaimOfEvent claims a due mail of an event. It returns false if no mail may be sent now.
func (s *Store) ClaimOfEvent(ctx context.Context, source, eventID string, terms mail.Terms) (mail.Due, bool, error) {
	return s.claim(ctx, s.claimOfEvent, pgx.NamedArgs{
		"lease": terms.Lease, "mails_per_hour": terms.MailsPerHour, "max_invitations": terms.MaxInvitations, "source": source, "event_id": eventID,
	})
}

// ClaimOfTenant claims the tenant's mail that has been due longest. It returns false if no mail may be sent now.
func (s *Store) ClaimOfTenant(ctx context.Context, tenantID string, terms mail.Terms) (mail.Due, bool, error) {
	return s.claim(ctx, claimSQL, pgx.NamedArgs{
		"lease": terms.Lease, "mails_per_hour": terms.MailsPerHour, "max_invitations": terms.MaxInvitations, "tenant_id": tenantID,
	})
}

// DueTenants returns the tenants with a mail to send now, ordered by their longest wait.
func (s *Store) DueTenants(ctx context.Context, terms mail.Terms) ([]string, error) {
	rows, err := s.pool.Query(ctx, tenantsSQL, pgx.NamedArgs{"mails_per_hour": terms.MailsPerHour})
	if err != nil {
		return nil, wrap("find tenants with due mails", err)
	}
	tenants, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return tenants, wrap("find tenants with due mails", err)
}

func (s *Store) claim(ctx context.Context, sql string, args pgx.NamedArgs) (mail.Due, bool, error) {
	var d mail.Due
	var data []byte
	err := s.pool.QueryRow(ctx, sql, args).Scan(&d.ID, &d.Attempt, &d.Held, &d.MessageID, &d.OptedOut, &d.Deferred,
		&d.Abandoned, &d.Source, &d.EventID, &d.Type, &data, &d.TenantName, &d.Locale, &d.UserID, &d.Email, &d.Name, &d.TimeZone,
		&d.TenantID, &d.LinkEnds, &d.Trace.TraceParent, &d.Trace.TraceState)
	if errors.Is(err, pgx.ErrNoRows) {
		return mail.Due{}, false, nil
	}
	if err != nil {
		return mail.Due{}, false, wrap("claim mail", err)
	}
	if err := json.Unmarshal(data, &d.Data); err != nil {
		return mail.Due{}, false, fmt.Errorf("claim mail %s: %w", d.ID, err)
	}
	return d, true, nil
}

// Mark ends the attempt of d. It returns false, and changes nothing, if d was claimed again since, or is not due any
// more. The same statement adds an address that does not exist to the suppression list.
func (s *Store) Mark(ctx context.Context, d mail.Due, m mail.Mark) (held bool, err error) {
	const sql = `
		WITH marked AS (
			UPDATE email_deliveries SET
				status = @status,
				reason = @reason,
				ambiguous = ambiguous + @ambiguous::boolean::integer,
				held = held + @held::boolean::integer,
				next_attempt_at = CASE WHEN @status = 'due' THEN now() + @retry_after::interval ELSE next_attempt_at END,
				lease_until = NULL,
				sent_at = CASE WHEN @status = 'sent' THEN now() END
			WHERE id = @id AND attempt = @attempt AND status = 'due' AND lease_until IS NOT NULL
			RETURNING id
		), suppressed AS (
			INSERT INTO mail_suppressions (address, reason, delivery_id)
			SELECT lower(@email), @reason, id FROM marked WHERE @no_mailbox::boolean
			ON CONFLICT (address) DO NOTHING
		)
		SELECT count(*) FROM marked`
	var rows int
	err = s.pool.QueryRow(ctx, sql, pgx.NamedArgs{
		"id": d.ID, "attempt": d.Attempt, "email": d.Email, "status": string(m.Status), "reason": m.Reason,
		"ambiguous": m.Ambiguous, "held": m.Held, "no_mailbox": m.NoMailbox, "retry_after": m.RetryAfter,
	}).Scan(&rows)
	if err != nil {
		return false, wrap("mark mail", err)
	}
	return rows == 1, nil
}

// Renew extends the claim of d to lease from now. It returns false, and changes nothing, if the claim was lost.
func (s *Store) Renew(ctx context.Context, d mail.Due, lease time.Duration) (held bool, err error) {
	const sql = `UPDATE email_deliveries SET lease_until = now() + @lease::interval, next_attempt_at = now() + @lease::interval
		WHERE id = @id AND attempt = @attempt AND status = 'due' AND lease_until IS NOT NULL`
	tag, err := s.pool.Exec(ctx, sql, pgx.NamedArgs{"id": d.ID, "attempt": d.Attempt, "lease": lease})
	if err != nil {
		return false, wrap("renew the claim of a mail", err)
	}
	return tag.RowsAffected() == 1, nil
}

// Waiting counts the mails that are due now, and says since when the oldest has been due (zero if none is due).
func (s *Store) Waiting(ctx context.Context) (n int, since time.Time, err error) {
	var oldest *time.Time
	err = s.pool.QueryRow(ctx, `SELECT count(*), min(next_attempt_at) FROM email_deliveries
		WHERE status = 'due' AND next_attempt_at <= now()`).Scan(&n, &oldest)
	if err != nil {
		return 0, time.Time{}, wrap("count due mails", err)
	}
	if oldest != nil {
		since = *oldest
	}
	return n, since, nil
}
