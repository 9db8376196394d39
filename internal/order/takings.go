package order

import "time"

// Tally counts the orders that were paid or refunded in one minute and currency.
type Tally struct {
	Minute   time.Time
	Status   Status // Paid or Refunded
	Currency string
	Count    int
	Amount   int64 // in the currency's minor unit, at most [MostTakings]
}

// MostTakings bounds a sum of amounts to the integers that JavaScript represents exactly.
const MostTakings = 1<<53 - 1

// Sum adds two amounts, up to [MostTakings].
func Sum(a, b int64) int64 { return min(a+b, MostTakings) }
