package ordermail

import (
	"math"

	"golang.org/x/text/currency"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

// Amount formats an amount of minor units the way its currency is written: "USD 12.50", "IDR 125,000", "KWD 1.500".
// The code stands for the symbol, since a dollar sign doesn't say whose dollar. A currency that nobody knows is shown
// as it came: a guessed decimal point would be a wrong amount.
func Amount(minor int64, code string) string {
	p := message.NewPrinter(language.English)
	unit, err := currency.ParseISO(code)
	if err != nil {
		return p.Sprintf("%s %d minor units", code, minor)
	}
	scale, _ := currency.Standard.Rounding(unit)
	// A float64 holds every integer up to 2^53, far above order.MaxAmount, and the scale rounds to whole minor units.
	return p.Sprintf("%s\u00a0%v", code, number.Decimal(float64(minor)/math.Pow10(scale), number.Scale(scale)))
}
