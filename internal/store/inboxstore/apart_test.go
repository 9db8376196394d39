package inboxstore_test

import (
	"errors"
	"testing"

	"orderbell/internal/notification"
	"orderbell/internal/store/inboxstore"
)

// TestAnInboxIsOfItsTenant asks in a tenant for the inbox of another one's user, without row-level security.
func TestAnInboxIsOfItsTenant(t *testing.T) {
	t.Parallel()
	pool := setupPool(t)
	if _, err := pool.Exec(t.Context(), "ALTER TABLE notifications DISABLE ROW LEVEL SECURITY"); err != nil {
		t.Fatal(err)
	}
	s, ctx := inboxstore.New(pool), t.Context()
	page, err := s.Page(ctx, "demo", eve, notification.Query{Limit: 10})
	if err != nil || len(page.Notifications) != 0 || page.Unread != 0 {
		t.Errorf("the page has %d, unread %d, %v", len(page.Notifications), page.Unread, err)
	}
	if _, err := s.Read(ctx, "demo", eve, notificationID(eve, 1)); !errors.Is(err, notification.ErrNotFound) {
		t.Errorf("one is read: %v", err)
	}
	some, err := s.ReadSome(ctx, "demo", eve, []string{notificationID(eve, 1)})
	if err != nil || len(some.NotificationIDs) != 0 || some.Unread != 0 {
		t.Errorf("some are read: %+v, %v", some, err)
	}
	all, err := s.ReadAll(ctx, "demo", eve)
	if err != nil || len(all.NotificationIDs) != 0 || all.Unread != 0 {
		t.Errorf("all are read: %+v, %v", all, err)
	}
	if page, err := s.Page(ctx, "other", eve, notification.Query{Limit: 10}); err != nil || page.Unread != 4 {
		t.Errorf("in the user's own tenant %d are unread, %v, want 4", page.Unread, err)
	}
}
