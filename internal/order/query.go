package order

import "time"

// Query says which of a tenant's orders are asked for, from the newest to the oldest.
type Query struct {
	States []Status  // empty: all
	From   time.Time // made then or later; zero: from the first on
	To     time.Time // made before; zero: to the last
	// DoneFrom is a From of the orders that are done, where the open ones are asked for whatever their age. With it, States
	// are empty.
	DoneFrom time.Time
	After    Position
	Limit    int
}

// Open returns the states in which something is to be done for an order.
func Open() []Status { return []Status{Submitted, Paid, Preparing, Ready} }

// Done returns the states in which nothing more is to be done.
func Done() []Status { return []Status{Completed, Cancelled, Refunded} }

// MostCounted bounds a count of orders: counting costs the same in a shop of any age, and a larger number tells no more.
const MostCounted = 1000
