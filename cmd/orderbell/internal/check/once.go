package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"orderbell/cmd/orderbell/internal/watch"
	"orderbell/internal/audit"
	"orderbell/internal/event"
	"orderbell/internal/user"
)

// eligible returns the sorted ids of the users who are notified of a paid order.
func (r *run) eligible() []string {
	var ids []string
	for _, p := range r.Business.Users {
		if user.HasAny(p.Roles, user.Sellers()) {
			ids = append(ids, p.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// mailed waits until no mail of the paid order is due, and checks the inboxes.
func (r *run) mailed(ctx context.Context) error {
	paid := r.changes[1].Event.ID
	var due audit.Delivery
	err := poll(ctx, "every e-mail is sent", func() (bool, error) {
		trail, err := r.Trails.Trail(ctx, paid)
		i := slices.IndexFunc(trail.Mails, func(m audit.Delivery) bool { return m.Status == "due" })
		if i < 0 {
			return true, err
		}
		due = trail.Mails[i]
		return false, err
	})
	if err != nil {
		return fmt.Errorf("%w (the one to user %s is due after %d attempts: %s)", err, due.UserID, due.Attempt, due.Reason)
	}
	return r.inboxes(ctx)
}

// inboxes compares the mails that each user received with the expected ones.
func (r *run) inboxes(ctx context.Context) error {
	if r.Mailpit == "" {
		return nil
	}
	eligible := r.eligible()
	for _, p := range r.Business.Users {
		want := 0
		if slices.Contains(eligible, p.ID) {
			want = 1
		}
		got, err := r.received(ctx, p.Email)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s has %d e-mails, want %d", p.Email, got, want)
		}
	}
	return nil
}

// received asks Mailpit how many messages it took for the address.
func (r *run) received(ctx context.Context, address string) (n int, err error) {
	query := r.Mailpit + "/api/v1/search?query=" + url.QueryEscape(`to:"`+address+`"`)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, query, nil)
	if err != nil {
		return 0, fmt.Errorf("ask the mail server: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("ask the mail server: %w", err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	var found struct {
		Count *int `json:"messages_count"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&found); err != nil || found.Count == nil {
		return 0, fmt.Errorf("MAILPIT_URL: %s answers %s, which is not Mailpit's answer: %w", r.Mailpit, resp.Status, err)
	}
	return *found.Count, nil
}

// once checks every place where an event could have been lost or duplicated.
func (r *run) once(ctx context.Context) error {
	stream, _, err := r.Stream.Recent(ctx, r.Business.Tenant.ID, 100)
	if err != nil {
		return err
	}
	for i, c := range r.changes {
		if c.Trail, err = r.Trails.Trail(ctx, c.Event.ID); err != nil {
			return err
		}
		if err := r.checkTrail(c); err != nil {
			return fmt.Errorf("%s: %w", c.Type, err)
		}
		if i >= len(stream) || stream[i].Message.ID != c.Event.ID {
			return fmt.Errorf("%s is not entry %d of the %d in Redis", c.Type, i+1, len(stream))
		}
	}
	if len(stream) != len(r.changes) {
		return fmt.Errorf("redis has %d entries of the tenant, want %d", len(stream), len(r.changes))
	}
	for _, one := range []struct {
		watcher       *watcher
		notifications int
	}{{r.owner, 1}, {r.kitchen, 0}} {
		if err := sameOrders(one.watcher, r.changes); err != nil {
			return err
		}
		frames, _ := one.watcher.look()
		if got := count(frames, "notification"); got != one.notifications {
			return fmt.Errorf("%s got %d notifications, want %d", one.watcher.name, got, one.notifications)
		}
	}
	if err := r.checkNotification(); err != nil {
		return err
	}
	return r.inboxes(ctx) // again: the event has been delivered twice more since
}

func (r *run) checkTrail(c *change) error {
	users := []string{}
	if c.Type == event.OrderPaid {
		users = r.eligible()
	}
	var mailed []string
	for _, m := range c.Trail.Mails {
		if m.Status != "sent" {
			return fmt.Errorf("the e-mail to user %s is %s (%s) after %d attempts", m.UserID, m.Status, m.Reason, m.Attempt)
		}
		mailed = append(mailed, m.UserID)
	}
	switch {
	case c.Trail.Records != 1:
		return fmt.Errorf("%d records, want 1", c.Trail.Records)
	case !slices.Equal(c.Trail.Notified, users):
		return fmt.Errorf("users %v have a notification, want %v", c.Trail.Notified, users)
	case !slices.Equal(mailed, users):
		return fmt.Errorf("users %v were sent an e-mail, want %v", mailed, users)
	}
	return nil
}

// checkNotification looks at the owner's notification frame itself.
func (r *run) checkNotification() error {
	frames, _ := r.owner.look()
	i := slices.IndexFunc(frames, func(f watch.Frame) bool { return f.Event == "notification" })
	var n struct {
		NotificationID string     `json:"notification_id"`
		EventID        string     `json:"event_id"`
		Event          event.Type `json:"event"`
	}
	if err := json.Unmarshal(frames[i].Data, &n); err != nil {
		return fmt.Errorf("notification frame: %w", err)
	}
	paid := r.changes[1].Event.ID
	if n.NotificationID == "" || n.EventID != paid || n.Event != event.OrderPaid || frames[i].ID != paid+".n" {
		return fmt.Errorf("the notification frame %s is %s, want one of event %s", frames[i].ID, frames[i].Data, paid)
	}
	return nil
}
