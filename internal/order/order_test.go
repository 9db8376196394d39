package order_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/order"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	legal := map[order.Status][]order.Status{
		order.Submitted: {order.Paid, order.Cancelled},
		order.Paid:      {order.Preparing, order.Ready, order.Completed, order.Refunded},
		order.Preparing: {order.Ready, order.Completed, order.Refunded},
		order.Ready:     {order.Completed, order.Refunded},
		order.Completed: {order.Refunded},
	}
	for _, from := range order.Statuses() {
		for _, to := range order.Statuses() {
			want := false
			for _, s := range legal[from] {
				want = want || s == to
			}
			if got := from.CanBecome(to); got != want {
				t.Errorf("%s to %s: allowed %t, want %t", from, to, got, want)
			}
		}
	}
	if order.Status("eaten").Valid() {
		t.Error("an unknown status is valid")
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	paid := created.Add(time.Minute)
	o := order.Order{ID: "o1", Status: order.Submitted, Version: 1, CreatedAt: created, UpdatedAt: created}

	t.Run("a legal change raises the version by one", func(t *testing.T) {
		t.Parallel()
		got, err := o.Change(order.Paid, paid)
		if err != nil {
			t.Fatal(err)
		}
		want := order.Order{ID: "o1", Status: order.Paid, Version: 2, CreatedAt: created, UpdatedAt: paid}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("an illegal change names what is possible", func(t *testing.T) {
		t.Parallel()
		_, err := o.Change(order.Completed, paid)
		var illegal *order.TransitionError
		if !errors.As(err, &illegal) {
			t.Fatalf("got %v, want a TransitionError", err)
		}
		want := "an order that is submitted cannot become completed: it can become paid, cancelled"
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a final state says so", func(t *testing.T) {
		t.Parallel()
		_, err := order.Order{Status: order.Refunded}.Change(order.Paid, paid)
		want := "an order that is refunded cannot become paid: refunded is final"
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
	})
}

func TestCheckMoney(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		amount   int64
		currency string
		ok       bool
	}{
		"nothing to pay":           {0, "IDR", true},
		"the largest amount":       {order.MaxAmount, "EUR", true},
		"more than the largest":    {order.MaxAmount + 1, "EUR", false},
		"a negative amount":        {-1, "EUR", false},
		"a currency in lower case": {1, "eur", false},
		"a currency sign":          {1, "€", false},
		"no currency":              {1, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := order.CheckMoney(tt.amount, tt.currency); (err == nil) != tt.ok {
				t.Errorf("got %v, want ok = %t", err, tt.ok)
			}
		})
	}
}
