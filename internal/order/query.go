package order

import "time"

// Query selects a tenant's orders, newest first.
type Query struct {
	States []Status  // empty: all
	From   time.Time // created then or later; zero: no bound
	To     time.Time // created before; zero: no bound
	// DoneFrom is the lower bound for finished orders only; open ones of any age are included. With it, States is
	// empty.
	DoneFrom time.Time
	After    Position
	Limit    int
}

// Open returns the states of orders that still need work.
func Open() []Status { return []Status{Submitted, Paid, Preparing, Ready} }

// Done returns the states of finished orders.
func Done() []Status { return []Status{Completed, Cancelled, Refunded} }

// MostCounted bounds a count of orders, so that the cost does not grow with the age of the tenant.
const MostCounted = 1000
