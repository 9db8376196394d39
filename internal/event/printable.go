package event

import (
	"strings"
	"unicode"
)

// Printable returns s as an attribute of a CloudEvent may hold it: without control characters.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s)
}
