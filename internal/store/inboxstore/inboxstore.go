// Package inboxstore lists a user's notifications in PostgreSQL and marks them as read.
package inboxstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/event"
	"orderbell/internal/feed/message"
	"orderbell/internal/notification"
	"orderbell/internal/store/database"
)

// Store is safe for concurrent use.
type Store struct{ pool *database.Pool }

// New returns a store on the pool.
func New(pool *database.Pool) *Store { return &Store{pool: pool} }

// page joins the notifications to the row of the count, so that an empty page has the count too.
const page = `SELECT c.unread, n.id::text, n.event_id::text, n.event_type, n.data, n.created_at, n.read_at
FROM (SELECT count(*) AS unread FROM notifications WHERE user_id = $1 AND tenant_id = $2 AND read_at IS NULL) c
LEFT JOIN LATERAL (
	SELECT * FROM notifications
	WHERE user_id = $1 AND tenant_id = $2 AND (read_at IS NULL OR NOT $3)
		AND ($4::timestamptz IS NULL OR (created_at, id) < ($4, $5::uuid))
	ORDER BY created_at DESC, id DESC LIMIT $6
) n ON true
ORDER BY n.created_at DESC, n.id DESC`

// Page returns the user's notifications that match q.
func (s *Store) Page(ctx context.Context, tenantID, userID string, q notification.Query) (notification.Page, error) {
	var before, beforeID any // NULL
	if !q.Before.IsZero() {
		before, beforeID = q.Before, q.BeforeID
	}
	var found notification.Page
	scan := func(row pgx.CollectableRow) (notification.Notification, error) {
		var n notification.Notification
		var id, eventID, kind *string
		var data []byte
		var created, read *time.Time
		if err := row.Scan(&found.Unread, &id, &eventID, &kind, &data, &created, &read); err != nil || id == nil {
			return n, err
		}
		if err := json.Unmarshal(data, &n.Data); err != nil {
			return n, fmt.Errorf("notification %s: %w", *id, err)
		}
		n.ID, n.EventID, n.Type, n.CreatedAt = *id, *eventID, event.Type(*kind), created.UTC()
		if read != nil {
			n.ReadAt = read.UTC()
		}
		return n, nil
	}
	notifications, err := database.Collect(ctx, s.pool, tenantID, scan, page, userID, tenantID, q.UnreadOnly, before, beforeID, q.Limit+1)
	if err != nil {
		return notification.Page{}, database.Wrap("list notifications", err)
	}
	if len(notifications) > 0 && notifications[0].ID == "" {
		notifications = nil // only the row of the count
	}
	if found.More = len(notifications) > q.Limit; found.More {
		notifications = notifications[:q.Limit]
	}
	found.Notifications = notifications
	return found, nil
}

// reading is the end of the statements below: the notifications that were marked, and the number of unread ones left.
// The count is from the statement's snapshot.
const reading = `
SELECT ARRAY(SELECT id::text FROM done ORDER BY id), (
	SELECT count(*) FROM notifications WHERE user_id = $1 AND tenant_id = $2 AND read_at IS NULL
) - (SELECT count(*) FROM done)`

// Read marks one of the user's notifications as read. If it is already read, the answer lists no id. Its error may be
// [notification.ErrNotFound].
func (s *Store) Read(ctx context.Context, tenantID, userID, id string) (message.Reading, error) {
	const read = `WITH it AS (
			SELECT id FROM notifications WHERE id = $3 AND user_id = $1 AND tenant_id = $2
		), done AS (
			UPDATE notifications n SET read_at = now() FROM it WHERE n.id = it.id AND n.read_at IS NULL RETURNING n.id
		)` + reading + ` WHERE EXISTS (SELECT FROM it)`
	r, err := s.mark(ctx, tenantID, read, userID, tenantID, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, notification.ErrNotFound
	}
	return r, database.Wrap("read notification", err)
}

// ReadSome marks some of the user's notifications as read. The answer does not list unknown ids and those already read.
func (s *Store) ReadSome(ctx context.Context, tenantID, userID string, ids []string) (message.Reading, error) {
	const read = `WITH done AS (
			UPDATE notifications SET read_at = now()
			WHERE id = ANY ($3::uuid[]) AND user_id = $1 AND tenant_id = $2 AND read_at IS NULL RETURNING id
		)` + reading
	r, err := s.mark(ctx, tenantID, read, userID, tenantID, ids)
	return r, database.Wrap("read notifications", err)
}

// ReadAll marks all of the user's notifications read.
func (s *Store) ReadAll(ctx context.Context, tenantID, userID string) (message.Reading, error) {
	const read = `WITH done AS (
			UPDATE notifications SET read_at = now() WHERE user_id = $1 AND tenant_id = $2 AND read_at IS NULL RETURNING id
		)` + reading
	r, err := s.mark(ctx, tenantID, read, userID, tenantID)
	return r, database.Wrap("read notifications", err)
}

func (s *Store) mark(ctx context.Context, tenantID, sql string, args ...any) (message.Reading, error) {
	return database.CollectOne(ctx, s.pool, tenantID, func(row pgx.CollectableRow) (message.Reading, error) {
		var r message.Reading
		return r, row.Scan(&r.NotificationIDs, &r.Unread)
	}, sql, args...)
}
