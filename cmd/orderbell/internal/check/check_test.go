package check_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"orderbell/cmd/orderbell/internal/check"
	"orderbell/cmd/orderbell/internal/seed"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/feed/message"
)

// TestRun tests the check: a correct shop passes, and each fault of a shop is found.
func TestRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault fault
		finds string
	}{
		{none, ""},
		{relayAsleep, "the relay has not sent it"},
		{functionDeaf, "no function recorded it"},
		{frameTwice, "watcher saw [order_created"},
		{redeliveryShown, "watcher saw [order_created"},
		{redeliveryIgnored, "consumer group order-paid has handled everything"},
		{wrongOrder, "answers version 3"},
		{kitchenNotified, "the kitchen's watcher got 1 notifications, want 0"},
		{notificationOfAnother, "want one of event"},
		{viewerMailed, "viewer@check-1.example has 1 e-mails, want 0"},
		{mailTwice, "owner@check-1.example has 2 e-mails, want 1"},
		{mailAgain, "owner@check-1.example has 2 e-mails, want 1"},
		{mailDue, "is due after 3 attempts: 451 later"},
		{mailFailed, "is failed (550 no)"},
		{recordTwice, "2 records, want 1"},
		{notificationRowMissing, "have a notification, want"},
		{entryTwice, "redis has 4 entries"},
		{entryMissing, "is not entry 3 of the 2 in Redis"},
		{listStale, "the order list is"},
		{tagIgnored, "want 304"},
		{resumeForgets, "a returning watcher got no what it missed"},
		{resumeRepeats, "a returning watcher saw"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			var said strings.Builder
			err := check.Run(t.Context(), setup(t, c.fault, &said))
			switch {
			case c.finds == "" && err != nil:
				t.Errorf("Run = %v\n%s", err, &said)
			case c.finds == "" && !strings.Contains(said.String(), "POST → last e-mail accepted"):
				t.Errorf("the hops are not printed:\n%s", &said)
			case c.finds != "" && (err == nil || !strings.Contains(err.Error(), c.finds)):
				t.Errorf("Run = %v, want it to find %q", err, c.finds)
			}
		})
	}
}

func setup(t *testing.T, f fault, said *strings.Builder) check.Config {
	t.Helper()
	cfg := authtest.Config(authtest.Secret)
	verifier := authtest.Verifier(t, cfg)
	business := seed.Check("check-1")
	for i := range business.Users {
		business.Users[i].ID = fmt.Sprintf("01a2b3c4-0000-7000-8000-00000000000%d", i)
	}
	s := &shop{fault: f, business: business, verifier: verifier, more: make(chan struct{}), arrivals: check.NewArrivals()}
	origin, mailpit := httptest.NewServer(s.handler()), httptest.NewServer(s.mailpit())
	ctx, cancel := context.WithCancel(t.Context())
	s.closing = ctx.Done()
	t.Cleanup(func() {
		cancel()
		origin.Close()
		mailpit.Close()
	})
	// Here expected frames arrive at once, so a short patience is enough for missing ones.
	patience := 20 * time.Second
	switch f {
	case relayAsleep, functionDeaf, redeliveryIgnored, mailDue, resumeForgets:
		patience = 3 * time.Second
	}
	return check.Config{
		Origin: origin.URL, Business: business, Tokens: seed.Tokens{Auth: cfg, TTL: time.Hour}, Trails: s, Stream: s, Arrivals: s.arrivals,
		Bus: s, Topic: "orders.events", Lags: s, Groups: []string{"order-paid"}, Patience: patience, Mailpit: mailpit.URL,
		Printf: func(format string, args ...any) { fmt.Fprintf(said, format+"\n", args...) },
	}
}

// Send is the topic: a redelivery.
func (s *shop) Send(_ context.Context, _ string, events []cloudevent.Event) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.redelivered = true
	if s.fault == redeliveryShown {
		s.show(frame{id: events[0].ID(), event: events[0].Type(), data: "{}", live: true})
	}
	return []error{nil}
}

// Lag is the consumer group's.
func (s *shop) Lag(context.Context, string) (map[int32]int64, error) {
	if s.fault == redeliveryIgnored {
		return map[int32]int64{0: 0, 1: 1}, nil
	}
	return map[int32]int64{0: 0, 1: 0}, nil
}

// Recent is the stream in Redis.
func (s *shop) Recent(context.Context, string, int) ([]message.Published, message.Tail, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []message.Published
	for _, o := range s.events {
		all = append(all, message.Published{Message: message.Message{ID: o.ID}})
	}
	switch s.fault {
	case entryTwice:
		all = append(all, all[len(all)-1])
	case entryMissing:
		all = all[:len(all)-1]
	}
	return all, message.Tail{}, nil
}
