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

// ClaimOfEvent claims one e-mail of an event that is due, for as long as lease. It returns false if there is none.
func (s *Store) ClaimOfEvent(ctx context.Context, source, eventID string, lease time.Duration) (mail.Due, bool, error) {
	return s.claim(ctx, s.claimOfEvent, lease, source, eventID)
}

// Claim claims the e-mail that is due longest, for as long as lease. It returns false if there is none.
func (s *Store) Claim(ctx context.Context, lease time.Duration) (mail.Due, bool, error) {
	return s.claim(ctx, s.claimAny, lease)
}

func (s *Store) claim(ctx context.Context, sql string, args ...any) (mail.Due, bool, error) {
	var d mail.Due
	var data []byte
	err := s.pool.QueryRow(ctx, sql, args...).Scan(&d.ID, &d.Attempt, &d.MessageID, &d.OptedOut, &d.Deferred,
		&d.Abandoned, &d.Source, &d.EventID, &d.Type, &data, &d.TenantName, &d.Locale, &d.UserID, &d.Email, &d.Name, &d.TimeZone)
	if errors.Is(err, pgx.ErrNoRows) {
		return mail.Due{}, false, nil
	}
	if err != nil {
		return mail.Due{}, false, wrap("claim e-mail", err)
	}
	if err := json.Unmarshal(data, &d.Data); err != nil {
		return mail.Due{}, false, fmt.Errorf("claim e-mail %s: %w", d.ID, err)
	}
	return d, true, nil
}

// Mark ends the attempt of d. It returns false, and changes nothing, if d was claimed by another since, or is not due
// any more.
func (s *Store) Mark(ctx context.Context, d mail.Due, m mail.Mark) (held bool, err error) {
	const sql = `
		UPDATE email_deliveries SET
			status = $3,
			reason = $4,
			ambiguous = ambiguous + $5::boolean::integer,
			next_attempt_at = CASE WHEN $3 = 'due' THEN now() + $6::interval ELSE next_attempt_at END,
			lease_until = NULL,
			sent_at = CASE WHEN $3 = 'sent' THEN now() END
		WHERE id = $1 AND attempt = $2 AND status = 'due' AND lease_until IS NOT NULL`
	tag, err := s.pool.Exec(ctx, sql, d.ID, d.Attempt, string(m.Status), m.Reason, m.Ambiguous, m.RetryAfter)
	if err != nil {
		return false, wrap("mark e-mail", err)
	}
	return tag.RowsAffected() == 1, nil
}

// Waiting counts the e-mails that are due now, and says since when the one that waits longest does (zero if none).
func (s *Store) Waiting(ctx context.Context) (n int, since time.Time, err error) {
	var oldest *time.Time
	err = s.pool.QueryRow(ctx, `SELECT count(*), min(next_attempt_at) FROM email_deliveries
		WHERE status = 'due' AND next_attempt_at <= now()`).Scan(&n, &oldest)
	if err != nil {
		return 0, time.Time{}, wrap("count due e-mails", err)
	}
	if oldest != nil {
		since = *oldest
	}
	return n, since, nil
}
