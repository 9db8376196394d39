package wording

import (
	"math"

	"golang.org/x/text/number"

	"orderbell/internal/order"
)

// Amount writes an amount of minor units the way its currency has decimals and the language separates them: "USD 12.50",
// "IDR 125,000", in Indonesian "IDR 125.000". The code stands for the symbol, since a dollar sign doesn't say whose
// dollar. An amount in an unknown currency is shown in its minor units: a guessed decimal point would be a wrong amount.
func (w *Words) Amount(minor int64, code string) string {
	digits, known := order.MinorDigits(code)
	if !known {
		return w.Say("amount.unknown", "amount", w.printer.Sprint(number.Decimal(minor)), "currency", code)
	}
	// A float64 holds every integer up to 2^53, far above order.MaxAmount, and the scale rounds to whole minor units.
	return w.printer.Sprintf("%s\u00a0%v", code, number.Decimal(float64(minor)/math.Pow10(digits), number.Scale(digits)))
}
