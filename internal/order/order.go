// Package order holds the rules of an order's life: its states, the changes between them, its versions and its money.
//
// It imports the standard library only; every other package may import it.
package order

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Status is the state of an order.
type Status string

// The states of an order. Submitted is the first; Completed may still become Refunded; Cancelled and Refunded are final.
const (
	Submitted Status = "submitted"
	Paid      Status = "paid"
	Preparing Status = "preparing"
	Ready     Status = "ready"
	Completed Status = "completed"
	Cancelled Status = "cancelled"
	Refunded  Status = "refunded"
)

// Statuses returns every state, in the order of an order's life.
func Statuses() []Status {
	return []Status{Submitted, Paid, Preparing, Ready, Completed, Cancelled, Refunded}
}

// Valid reports whether s is one of [Statuses].
func (s Status) Valid() bool { return slices.Contains(Statuses(), s) }

// Next returns the states that may follow s. A paid order may skip steps forward (a business without a kitchen completes
// at once), never backward. Only an unpaid order can be cancelled, and only a paid one refunded.
func (s Status) Next() []Status {
	switch s {
	case Submitted:
		return []Status{Paid, Cancelled}
	case Paid:
		return []Status{Preparing, Ready, Completed, Refunded}
	case Preparing:
		return []Status{Ready, Completed, Refunded}
	case Ready:
		return []Status{Completed, Refunded}
	case Completed:
		return []Status{Refunded}
	case Cancelled, Refunded:
		return nil
	}
	return nil
}

// CanBecome reports whether an order in state s may change to next.
func (s Status) CanBecome(next Status) bool { return slices.Contains(s.Next(), next) }

// UndoFor is how long a change can be undone: enough to notice a wrong tap.
const UndoFor = 60 * time.Second

// Undoable returns the states that can be undone. Payments and refunds cannot.
func Undoable() []Status { return []Status{Preparing, Ready, Completed, Cancelled} }

// CanBeUndone reports whether s is one of [Undoable].
func (s Status) CanBeUndone() bool { return slices.Contains(Undoable(), s) }

// UndoError is a change that cannot be undone. HTTP APIs answer it with 409.
type UndoError struct{ Reason string }

func (e *UndoError) Error() string { return e.Reason }

// TransitionError is a change that [Status.Next] does not allow. HTTP APIs answer it with 409.
type TransitionError struct{ From, To Status }

func (e *TransitionError) Error() string {
	next := e.From.Next()
	if len(next) == 0 {
		return fmt.Sprintf("an order that is %s cannot become %s: %s is final", e.From, e.To, e.From)
	}
	names := make([]string, len(next))
	for i, s := range next {
		names[i] = string(s)
	}
	return fmt.Sprintf("an order that is %s cannot become %s: it can become %s", e.From, e.To, strings.Join(names, ", "))
}

// Order is one sale of one tenant.
type Order struct {
	ID          string // UUID
	TenantID    string
	Reference   string // the number users call out, such as A-1042; may be empty
	Status      Status
	TotalAmount int64  // in the currency's minor unit, ≥ 0
	Currency    string // ISO 4217, three capital letters
	Version     int64  // 1 at creation, one more with each change
	CreatedAt   time.Time
	UpdatedAt   time.Time
	UndoStatus  Status // the state after an undo; "" if the latest change cannot be undone
}

// UndoUntil returns the time until which the latest change can be undone, zero if it cannot.
func (o Order) UndoUntil() time.Time {
	if o.UndoStatus == "" {
		return time.Time{}
	}
	return o.UpdatedAt.Add(UndoFor)
}

// Change returns o in state next, one version later, or a *[TransitionError].
func (o Order) Change(next Status, at time.Time) (Order, error) {
	if !o.Status.CanBecome(next) {
		return Order{}, &TransitionError{From: o.Status, To: next}
	}
	o.UndoStatus = ""
	if next.CanBeUndone() {
		o.UndoStatus = o.Status
	}
	o.Status = next
	o.Version++
	o.UpdatedAt = at
	return o, nil
}

// Limits of an order's fields, the same in the API, the event contract and the database.
const (
	MaxReference = 64                // characters: what fits on a receipt line
	MaxAmount    = 1_000_000_000_000 // minor units: a front end's number keeps every integer up to 2^53
)

// CheckMoney returns what is wrong with an amount and its currency, or nil.
func CheckMoney(amount int64, currency string) error {
	if amount < 0 || amount > MaxAmount {
		return fmt.Errorf("total_amount is %d, want 0 to %d in the currency's minor unit", amount, int64(MaxAmount))
	}
	if !IsCurrency(currency) {
		return errors.New("currency is not three capital letters as in ISO 4217")
	}
	return nil
}

// IsCurrency reports whether code has the form of an ISO 4217 code: three capital letters.
func IsCurrency(code string) bool {
	if len(code) != 3 {
		return false
	}
	for _, c := range code {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}
