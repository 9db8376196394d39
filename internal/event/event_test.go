package event_test

import (
	"testing"
	"time"

	"orderbell/internal/event"
	"orderbell/internal/order"
)

func TestCheckAge(t *testing.T) {
	t.Parallel()
	e := event.Event{Time: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)}
	for name, tt := range map[string]struct {
		now time.Time
		ok  bool
	}{
		"an event of now":                  {e.Time, true},
		"an event of the oldest kept day":  {e.Time.AddDate(0, 0, 45), true},
		"an event of the day before":       {e.Time.AddDate(0, 0, 46), false},
		"a clock that runs ahead a little": {e.Time.Add(-event.MaxSkew), true},
		"a clock that runs ahead too much": {e.Time.Add(-event.MaxSkew - time.Second), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := e.CheckAge(tt.now, 45); (err == nil) != tt.ok {
				t.Errorf("got %v, want ok = %t", err, tt.ok)
			}
		})
	}
}

func TestTypeFor(t *testing.T) {
	t.Parallel()
	for _, s := range order.Statuses() {
		want := event.OrderStatusUpdated
		switch s {
		case order.Submitted:
			want = event.OrderCreated
		case order.Paid:
			want = event.OrderPaid
		case order.Preparing, order.Ready, order.Completed, order.Cancelled, order.Refunded:
		}
		if got := event.TypeFor(s); got != want {
			t.Errorf("%s makes %s, want %s", s, got, want)
		}
	}
}
