package auditstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/audit"
	"orderbell/internal/tracing"
	"orderbell/internal/user"
)

// Stories returns what happened to the event: one story for each record of the id or, without a record, the story of
// the outbox row. For an unknown event it returns none.
func (s *Store) Stories(ctx context.Context, eventID string) (stories []audit.Story, err error) {
	err = s.page(ctx, "event "+eventID, func(tx pgx.Tx) error {
		if stories, err = begun(ctx, tx, eventID); err != nil {
			return err
		}
		for i := range stories {
			if err := addParts(ctx, tx, &stories[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return stories, err
}

// begun returns the stories without the users.
func begun(ctx context.Context, tx pgx.Tx, eventID string) ([]audit.Story, error) {
	const query = `
SELECT event_id::text, coalesce(r.source, o.source), coalesce(r.type, o.type), coalesce(r.tenant_id, o.tenant_id),
    coalesce(r.order_id, o.order_id)::text, coalesce(r.data::text, convert_from(o.data, 'UTF8')),
    coalesce(r.occurred_at, o.occurred_at), o.sent_at, r.received_at, clock_timestamp(), coalesce(r.decisions, '[]'),
    coalesce(nullif(r.traceparent, ''), o.traceparent, '')
FROM (SELECT * FROM event_records WHERE event_id = $1) r FULL JOIN (SELECT * FROM outbox WHERE event_id = $1) o USING (event_id)
ORDER BY r.event_day, r.source`
	rows, err := tx.Query(ctx, query, eventID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s audit.Story, err error) {
		var data string
		var sent, received *time.Time
		var decisions []user.Decision
		var traceParent string
		err = row.Scan(&s.EventID, &s.Source, &s.Type, &s.TenantID, &s.OrderID, &data, &s.OccurredAt, &sent, &received, &s.Now, &decisions, &traceParent)
		if err != nil {
			return s, err
		}
		s.TraceID = tracing.ID(traceParent)
		s.SentAt, s.ReceivedAt = orZero(sent), orZero(received)
		for _, d := range decisions {
			i := slices.IndexFunc(s.Parts, func(p audit.Part) bool { return p.User.ID == d.UserID })
			if i < 0 {
				i = len(s.Parts)
				s.Parts = append(s.Parts, audit.Part{User: user.User{ID: d.UserID}, Gone: true}) // until they are found
			}
			s.Parts[i].Decisions = append(s.Parts[i].Decisions, d)
		}
		if err := json.Unmarshal([]byte(data), &s.Data); err != nil {
			return s, fmt.Errorf("its data: %w", err)
		}
		return s, nil
	})
}

// addParts adds the tenant's users and what each received.
func addParts(ctx context.Context, tx pgx.Tx, s *audit.Story) error {
	const query = `
SELECT u.id::text, u.tenant_id, u.email, u.name, u.roles, u.notification_email_enabled, u.notification_in_app_enabled,
    u.notification_email_events, u.notification_in_app_events, u.time_zone, u.quiet_hours, u.version, u.created_at, u.updated_at,
    n.created_at, n.read_at,
    d.message_id, d.status, d.reason, d.ambiguous, d.sent_at, d.lease_until > clock_timestamp(), d.attempt, d.next_attempt_at
FROM users u
LEFT JOIN notifications n ON n.event_source = $2 AND n.event_id = $3 AND n.user_id = u.id
LEFT JOIN email_deliveries d ON d.event_source = $2 AND d.event_id = $3 AND d.user_id = u.id
WHERE u.tenant_id = $1`
	rows, err := tx.Query(ctx, query, s.TenantID, s.Source, s.EventID)
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, part)
	if err != nil {
		return err
	}
	for _, p := range found {
		i := slices.IndexFunc(s.Parts, func(other audit.Part) bool { return other.User.ID == p.User.ID })
		if i < 0 {
			s.Parts = append(s.Parts, p)
			continue
		}
		p.Decisions = s.Parts[i].Decisions
		s.Parts[i] = p
	}
	slices.SortStableFunc(s.Parts, func(a, b audit.Part) int {
		if a.Gone != b.Gone {
			return map[bool]int{true: 1, false: -1}[a.Gone]
		}
		return strings.Compare(strings.ToLower(a.User.Email), strings.ToLower(b.User.Email))
	})
	return nil
}

func part(row pgx.CollectableRow) (p audit.Part, err error) {
	var noticed, read, sent, next *time.Time
	var messageID, status, reason *string
	var ambiguous, attempt *int
	var claimed *bool
	w := &p.User
	err = row.Scan(&w.ID, &w.TenantID, &w.Email, &w.Name, &w.Roles, &w.EmailEnabled, &w.InAppEnabled, &w.EmailEvents, &w.InAppEvents,
		&w.TimeZone, &w.QuietHours, &w.Version, &w.CreatedAt, &w.UpdatedAt, &noticed, &read,
		&messageID, &status, &reason, &ambiguous, &sent, &claimed, &attempt, &next)
	if noticed != nil {
		p.Notification = &audit.Notification{CreatedAt: *noticed, ReadAt: orZero(read)}
	}
	if messageID != nil {
		p.Mail = &audit.Mailing{
			Mail: audit.Mail{
				UserID: w.ID, MessageID: *messageID, Status: *status, Reason: *reason, Ambiguous: *ambiguous, SentAt: orZero(sent),
				Claimed: claimed != nil && *claimed,
			},
			Attempt: *attempt, NextAttemptAt: *next,
		}
	}
	return p, err
}
