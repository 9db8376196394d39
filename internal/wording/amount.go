package wording

import (
	"math"

	"golang.org/x/text/number"

	"orderbell/internal/order"
)

// Amount formats an amount of minor units with the decimals of its currency and the separators of the language: "USD
// 12.50", "IDR 125,000", in Indonesian "IDR 125.000". It uses the code instead of the symbol, because several
// currencies share the dollar sign. An amount in an unknown currency is shown in minor units, because a guessed decimal
// point could be wrong.
func (w *Words) Amount(minor int64, code string) string {
	digits, known := order.MinorDigits(code)
	if !known {
		return w.Say("amount.unknown", "amount", w.printer.Sprint(number.Decimal(minor)), "currency", code)
	}
	// A float64 holds every integer up to 2^53, far above order.MaxAmount, and the scale rounds to whole minor units.
	return w.printer.Sprintf("%s\u00a0%v", code, number.Decimal(float64(minor)/math.Pow10(digits), number.Scale(digits)))
}
