package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/bidi"
)

// The functions of this file are for text older than the rule, for text from other programs, and for right-to-left
// names.

// Isolate wraps s in Unicode isolates (UAX #9) if it contains right-to-left text, so that it does not affect the text
// around it. It is for places without markup.
func Isolate(s string) string {
	const firstStrongIsolate, popIsolate = "\u2068", "\u2069"
	for _, r := range s {
		properties, _ := bidi.LookupRune(r)
		if c := properties.Class(); c == bidi.R || c == bidi.AL || c == bidi.AN {
			return firstStrongIsolate + s + popIsolate
		}
	}
	return s
}

// Terminal returns s as safe text for a terminal: a character that no name may contain is written as its code point,
// such as <U+202E>, and right-to-left text is isolated.
func Terminal(s string) string {
	return Isolate(anyRefused.ReplaceAllStringFunc(strings.ToValidUTF8(s, "\uFFFD"), func(c string) string { return "<" + point(c) + ">" }))
}

// JSON escapes the characters that no name may contain in a JSON text. White space between its values is kept.
func JSON(raw []byte) []byte {
	return anyRefused.ReplaceAllFunc(raw, func(c []byte) []byte {
		r, _ := utf8.DecodeRune(c)
		if r == '\n' || r == '\t' || r == '\r' { // in valid JSON, they are between values
			return c
		}
		if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			return fmt.Appendf(nil, `\u%04x\u%04x`, high, low)
		}
		return fmt.Appendf(nil, `\u%04x`, r)
	})
}

// Line returns s as one line for a mail, without the characters that no name may contain and with single spaces.
func Line(s string) string {
	s = anyRefused.ReplaceAllStringFunc(strings.ToValidUTF8(s, ""), func(c string) string {
		if r, _ := utf8.DecodeRuneInString(c); unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			return " "
		}
		return ""
	})
	s = strings.TrimSpace(manyBlanks.ReplaceAllString(s, " "))
	if Fault(s) != "" { // joiners alone
		return ""
	}
	return s
}
