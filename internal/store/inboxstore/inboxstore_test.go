package inboxstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"orderbell/internal/event"
	"orderbell/internal/feed/message"
	"orderbell/internal/notification"
	"orderbell/internal/order"
	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/inboxstore"
)

const (
	ana = "01a2b3c4-0000-7000-8000-00000000000a"
	bo  = "01a2b3c4-0000-7000-8000-00000000000b"
	eve = "01a2b3c4-0000-7000-8000-00000000000e" // the other tenant's
)

// notificationID returns the id of a user's n-th notification.
func notificationID(user string, n int) string {
	return fmt.Sprintf("01a2b3c4-0000-8000-8000-%s%011d", user[35:], n)
}

// setup gives ana and eve four notifications each; the second and the third have the same time.
func setup(t *testing.T) *inboxstore.Store {
	t.Helper()
	return inboxstore.New(setupPool(t))
}

func setupPool(t *testing.T) *database.Pool {
	t.Helper()
	pool := databasetest.New(t)
	if _, err := pool.Exec(t.Context(), "INSERT INTO tenants (id, name) VALUES ('demo', 'Demo'), ('other', 'Other')"); err != nil {
		t.Fatal(err)
	}
	for user, tenant := range map[string]string{ana: "demo", bo: "demo", eve: "other"} {
		if _, err := pool.Exec(t.Context(), "INSERT INTO users (id, tenant_id, email, roles) VALUES ($1, $2, $1::uuid || '@x.example', '{owner}')", user, tenant); err != nil {
			t.Fatal(err)
		}
		for n, second := range []int{1, 2, 2, 3} {
			if user == bo {
				continue
			}
			_, err := pool.Exec(t.Context(), `INSERT INTO notifications (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, created_at)
				VALUES ($1, $2, $3, '/', $4, 'order_paid', $4, $5, $6)`, notificationID(user, n+1), tenant, user, eventID(n+1), data(), at(second))
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return pool
}

func eventID(n int) string { return fmt.Sprintf("01a2b3c4-0000-7000-8000-e%011d", n) }

func at(second int) time.Time { return time.Date(2026, 11, 24, 10, 0, second, 0, time.UTC) }

func data() event.Data {
	return event.Data{
		OrderID: eventID(9), TenantID: "demo", Status: order.Paid, Reference: "A-1", TotalAmount: 5, Currency: "EUR", Version: 2, Timestamp: at(0),
	}
}

func numbers(t *testing.T, user string, page notification.Page) []int {
	t.Helper()
	found := []int{}
	for _, n := range page.Notifications {
		for i := 1; i <= 4; i++ {
			if n.ID == notificationID(user, i) {
				found = append(found, i)
			}
		}
	}
	if len(found) != len(page.Notifications) {
		t.Errorf("some of %v are not the user's", page.Notifications)
	}
	return found
}

func TestPage(t *testing.T) {
	t.Parallel()
	s := setup(t)
	page := func(tenant, user string, q notification.Query) notification.Page {
		t.Helper()
		p, err := s.Page(t.Context(), tenant, user, q)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := page("demo", ana, notification.Query{Limit: 2})
	if diff := cmp.Diff([]int{4, 3}, numbers(t, ana, first)); diff != "" || !first.More || first.Unread != 4 {
		t.Errorf("first page: %s, more %t, %d unread, want more and 4", diff, first.More, first.Unread)
	}
	want := notification.Notification{ID: notificationID(ana, 4), EventID: eventID(4), Type: event.OrderPaid, Data: data(), CreatedAt: at(3)}
	if diff := cmp.Diff(want, first.Notifications[0]); diff != "" {
		t.Error(diff)
	}
	last := first.Notifications[1]
	second := page("demo", ana, notification.Query{Limit: 2, Before: last.CreatedAt, BeforeID: last.ID})
	if diff := cmp.Diff([]int{2, 1}, numbers(t, ana, second)); diff != "" || second.More || second.Unread != 4 {
		t.Errorf("second page: %s, more %t, %d unread, want no more and 4", diff, second.More, second.Unread)
	}
	for name, p := range map[string]notification.Page{
		"who has none":                     page("demo", bo, notification.Query{Limit: 2}),
		"another tenant's user":            page("demo", eve, notification.Query{Limit: 2}),
		"after a user's last notification": page("demo", bo, notification.Query{Limit: 2, Before: at(0), BeforeID: notificationID(ana, 1)}),
	} {
		if diff := cmp.Diff(notification.Page{}, p); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	s := setup(t)
	reading := func(r message.Reading, err error) message.Reading {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	one := message.Reading{NotificationIDs: []string{notificationID(ana, 3)}, Unread: 3}
	if diff := cmp.Diff(one, reading(s.Read(t.Context(), "demo", ana, notificationID(ana, 3)))); diff != "" {
		t.Error(diff)
	}
	p, err := s.Page(t.Context(), "demo", ana, notification.Query{Limit: 9, UnreadOnly: true})
	if diff := cmp.Diff([]int{4, 2, 1}, numbers(t, ana, p)); err != nil || diff != "" || p.Unread != 3 {
		t.Errorf("unread: %s, %d, %v", diff, p.Unread, err)
	}
	p, err = s.Page(t.Context(), "demo", ana, notification.Query{Limit: 9})
	if err != nil || len(p.Notifications) != 4 || p.Notifications[1].ReadAt.IsZero() || !p.Notifications[0].ReadAt.IsZero() {
		t.Errorf("all: %v, %v, want the third alone read", p.Notifications, err)
	}
	was := p.Notifications[1].ReadAt
	again := message.Reading{NotificationIDs: []string{}, Unread: 3}
	if diff := cmp.Diff(again, reading(s.Read(t.Context(), "demo", ana, notificationID(ana, 3)))); diff != "" {
		t.Errorf("read again: %s", diff)
	}
	for _, c := range [][3]string{{"demo", ana, notificationID(eve, 1)}, {"demo", bo, notificationID(ana, 1)}, {"other", ana, notificationID(ana, 1)}, {"demo", ana, eventID(1)}} {
		if r, err := s.Read(t.Context(), c[0], c[1], c[2]); !errors.Is(err, notification.ErrNotFound) {
			t.Errorf("Read(%v) = %v, %v, want %v", c, r, err, notification.ErrNotFound)
		}
	}
	rest := message.Reading{NotificationIDs: []string{notificationID(ana, 1), notificationID(ana, 2), notificationID(ana, 4)}}
	if diff := cmp.Diff(rest, reading(s.ReadAll(t.Context(), "demo", ana))); diff != "" {
		t.Errorf("read all: %s", diff)
	}
	if diff := cmp.Diff(message.Reading{NotificationIDs: []string{}}, reading(s.ReadAll(t.Context(), "demo", ana)), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("read all again: %s", diff)
	}
	p, err = s.Page(t.Context(), "demo", ana, notification.Query{Limit: 9})
	if err != nil || p.Unread != 0 || !p.Notifications[1].ReadAt.Equal(was) {
		t.Errorf("afterwards %d unread, %v; the third was read %v, want %v", p.Unread, err, p.Notifications[1].ReadAt, was)
	}
	p, err = s.Page(t.Context(), "other", eve, notification.Query{Limit: 9})
	if err != nil || p.Unread != 4 {
		t.Errorf("the other tenant's user has %d unread, %v, want 4", p.Unread, err)
	}
}

func TestReadSomeReadsWhatIsTheUsersAndUnread(t *testing.T) {
	t.Parallel()
	s := setup(t)
	if _, err := s.Read(t.Context(), "demo", ana, notificationID(ana, 3)); err != nil {
		t.Fatal(err)
	}
	ids := []string{notificationID(ana, 1), notificationID(ana, 3), notificationID(eve, 1), notificationID(ana, 2), eventID(1)}
	for _, want := range []message.Reading{
		{NotificationIDs: []string{notificationID(ana, 1), notificationID(ana, 2)}, Unread: 1}, {NotificationIDs: []string{}, Unread: 1},
	} {
		got, err := s.ReadSome(t.Context(), "demo", ana, ids)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%v: %s", err, diff)
		}
	}
	if got, err := s.ReadSome(t.Context(), "other", ana, ids); err != nil || len(got.NotificationIDs) > 0 {
		t.Errorf("another tenant's: %+v, %v", got, err)
	}
}
