package inboxapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"orderbell/functions/internal/inboxapi"
	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/event"
	"orderbell/internal/feed/message"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/inboxstore"
	"orderbell/internal/user"
)

const (
	ana = "01a2b3c4-0000-7000-8000-00000000000a"
	bo  = "01a2b3c4-0000-7000-8000-00000000000b"
)

func notificationID(n int) string { return fmt.Sprintf("01a2b3c4-0000-8000-8000-a%011d", n) }

// stream records its messages, or fails.
type stream struct {
	told []message.Message
	away bool
}

func (s *stream) Publish(_ context.Context, tenantID string, m message.Message) error {
	if s.away || tenantID != "demo" {
		return errors.New("the stream does not answer")
	}
	s.told = append(s.told, m)
	return nil
}

type bundle struct {
	handler http.Handler
	tokens  auth.Config
	stream  *stream
}

// setup gives ana n notifications.
func setup(t *testing.T, n int) bundle {
	t.Helper()
	pool := databasetest.New(t)
	const rows = `WITH t AS (INSERT INTO tenants (id, name) VALUES ('demo', 'Demo') RETURNING id),
		u AS (INSERT INTO users (id, tenant_id, email, roles) SELECT p::uuid, id, p || '@x.example', '{owner}' FROM t, unnest($1::text[]) p)
		INSERT INTO notifications (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, created_at)
		SELECT ('01a2b3c4-0000-8000-8000-a' || lpad(n::text, 11, '0'))::uuid, id, $2::uuid, '/', gen_random_uuid(), 'order_paid',
			gen_random_uuid(), '{"order_id":"o"}', now() + n * interval '1 s'
		FROM t, generate_series(1, $3::int) n`
	if _, err := pool.Exec(t.Context(), rows, []string{ana, bo}, ana, n); err != nil {
		t.Fatal(err)
	}
	b := bundle{stream: &stream{}, tokens: authtest.Config(authtest.Secret)}
	verifier := authtest.Verifier(t, b.tokens)
	b.handler = inboxapi.New(slog.New(slog.NewTextHandler(t.Output(), nil)), verifier, inboxstore.New(pool), b.stream)
	return b
}

func ask[T any](t *testing.T, b bundle, userID, method, path string, status int) T {
	t.Helper()
	token := authtest.Token(t, b.tokens, auth.Principal{UserID: userID, TenantID: "demo", Roles: []user.Role{user.Viewer}})
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if err := json.Unmarshal(body, &v); err != nil || w.Code != status {
		t.Fatalf("%s %s: %d, %v, want %d: %s", method, path, w.Code, err, status, body)
	}
	return v
}

func TestInbox(t *testing.T) {
	t.Parallel()
	b := setup(t, 5)
	var ids []string
	for path := "/api/notifications?limit=2"; path != ""; {
		page := ask[inboxapi.Inbox](t, b, ana, "GET", path, 200)
		if page.Unread != 5 {
			t.Errorf("%d unread, want 5", page.Unread)
		}
		for _, n := range page.Notifications {
			ids = append(ids, n.NotificationID)
		}
		if path = ""; page.NextCursor != "" {
			path = "/api/notifications?limit=2&cursor=" + page.NextCursor
		}
	}
	if diff := cmp.Diff([]string{notificationID(5), notificationID(4), notificationID(3), notificationID(2), notificationID(1)}, ids); diff != "" {
		t.Error(diff)
	}
	want := message.Reading{NotificationIDs: []string{notificationID(4)}, Unread: 4}
	if diff := cmp.Diff(want, ask[message.Reading](t, b, ana, "POST", "/api/notifications/"+notificationID(4)+"/read", 200)); diff != "" {
		t.Error(diff)
	}
	ask[message.Reading](t, b, ana, "POST", "/api/notifications/"+notificationID(4)+"/read", 200)
	unread := ask[inboxapi.Inbox](t, b, ana, "GET", "/api/notifications?unread", 200)
	all := ask[inboxapi.Inbox](t, b, ana, "GET", "/api/notifications?unread=false", 200)
	if len(unread.Notifications) != 4 || len(all.Notifications) != 5 || all.Notifications[1].ReadAt == nil || all.Notifications[0].ReadAt != nil {
		t.Errorf("%d are unread of %v, want 4 of 5", len(unread.Notifications), all.Notifications)
	}
	rest := message.Reading{NotificationIDs: []string{notificationID(1), notificationID(2), notificationID(3), notificationID(5)}}
	if diff := cmp.Diff(rest, ask[message.Reading](t, b, ana, "POST", "/api/notifications/read-all", 200)); diff != "" {
		t.Error(diff)
	}
	ask[message.Reading](t, b, ana, "POST", "/api/notifications/read-all", 200)
	told := func(r message.Reading) message.Message {
		return message.Message{Event: message.NotificationRead, Read: &r, Recipients: []event.Recipient{{UserID: ana}}}
	}
	// A notification that was read already is not announced again.
	if diff := cmp.Diff([]message.Message{told(want), told(rest)}, b.stream.told, cmpopts.IgnoreFields(message.Message{}, "ID")); diff != "" {
		t.Errorf("the stream was told: %s", diff)
	}
}

func TestManyAreNotNamed(t *testing.T) {
	t.Parallel()
	b := setup(t, 150)
	want := message.Reading{NotificationIDs: []string{}, All: true}
	if diff := cmp.Diff(want, ask[message.Reading](t, b, ana, "POST", "/api/notifications/read-all", 200)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(&want, b.stream.told[0].Read); diff != "" {
		t.Errorf("the stream was told: %s", diff)
	}
}

func TestReadingGoesOnWithoutTheStream(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.stream.away = true
	ask[message.Reading](t, b, ana, "POST", "/api/notifications/read-all", 200)
	if page := ask[inboxapi.Inbox](t, b, ana, "GET", "/api/notifications", 200); page.Unread != 0 {
		t.Errorf("%d unread, want none", page.Unread)
	}
}

func TestInboxesOfOthers(t *testing.T) {
	t.Parallel()
	b := setup(t, 2)
	for _, user := range []string{bo, "auth0|1042"} {
		if got := ask[inboxapi.Inbox](t, b, user, "GET", "/api/notifications", 200); len(got.Notifications) != 0 || got.Unread != 0 {
			t.Errorf("%s sees %v", user, got)
		}
		ask[map[string]any](t, b, user, "POST", "/api/notifications/"+notificationID(1)+"/read", 404)
		if got := ask[message.Reading](t, b, user, "POST", "/api/notifications/read-all", 200); len(got.NotificationIDs) != 0 || got.Unread != 0 {
			t.Errorf("%s has read %v", user, got)
		}
	}
	for path, method := range map[string]string{"?unread=maybe": "GET", "?limit=no": "GET", "?cursor=x": "GET"} {
		ask[map[string]any](t, b, ana, method, "/api/notifications"+path, 400)
	}
	ask[map[string]any](t, b, ana, "POST", "/api/notifications/1/read", 404)
	ask[map[string]any](t, b, ana, "DELETE", "/api/notifications", 405)
	if got := ask[inboxapi.Inbox](t, b, ana, "GET", "/api/notifications", 200); got.Unread != 2 {
		t.Errorf("%d unread, want 2: another user read them", got.Unread)
	}
}

func TestReadWhatWasDisplayed(t *testing.T) {
	t.Parallel()
	b := setup(t, 4)
	send := func(body string) (*http.Response, message.Reading) {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/notifications/read", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+authtest.Token(t, b.tokens, auth.Principal{UserID: ana, TenantID: "demo", Roles: []user.Role{user.Viewer}}))
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		var reading message.Reading
		_ = json.Unmarshal(w.Body.Bytes(), &reading)
		return w.Result(), reading
	}
	_, got := send(fmt.Sprintf(`{"notification_ids":[%q,%q]}`, notificationID(1), notificationID(3)))
	want := message.Reading{NotificationIDs: []string{notificationID(1), notificationID(3)}, Unread: 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(b.stream.told) != 1 {
		t.Errorf("the stream was told %d times, want once", len(b.stream.told))
	}
	many := `"` + notificationID(1) + `"` + strings.Repeat(`,"`+notificationID(1)+`"`, 100)
	for body, status := range map[string]int{
		`{"notification_ids":[]}`: 200, `{}`: 422, `{"notification_ids":["nonsense"]}`: 422, `{"notification_ids":[` + many + `]}`: 422,
		`{"ids":[]}`: 422, `[`: 400,
	} {
		res, _ := send(body)
		_ = res.Body.Close()
		if res.StatusCode != status {
			t.Errorf("%.60s: status %d, want %d", body, res.StatusCode, status)
		}
	}
}
