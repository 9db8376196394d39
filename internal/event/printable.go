package event

import (
	"strings"
	"unicode"
)

// Printable returns s without control characters, which an attribute of a CloudEvent must not have.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s)
}
