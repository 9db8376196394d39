// Package text says which characters a name that people type may contain, and makes any text safe for a terminal.
//
// A reference of an order, the name of a user and the name of a tenant are shown in the middle of other text: beside an
// amount, in the subject of a mail, in a line of a terminal. So they may contain no character that changes how its
// neighbours are shown, and something in them must be visible.
package text

import (
	"fmt"
	"strings"
	"unicode"
)

// Fault returns what is wrong with a name, with the code point that is at fault, or "". An empty name has no fault: whether
// it may be empty is its owner's rule.
func Fault(s string) string {
	if s == "" {
		return ""
	}
	var before rune // 0 at the beginning
	seen := false
	for _, r := range s {
		switch {
		case r == '\u200c' || r == '\u200d' || r == '\ufe0e' || r == '\ufe0f': // joiners and emoji style: of what is before them
			if !visible(before) && !unicode.Is(unicode.M, before) && before != '\ufe0f' {
				return fmt.Sprintf("contains %U without a character before it", r)
			}
		case Unsafe(r):
			return fmt.Sprintf("contains %U, which is invisible or changes how the text around it is shown", r)
		}
		seen = seen || visible(r)
		before = r
	}
	if !seen {
		return fmt.Sprintf("has nothing visible: it begins with %U", []rune(s)[0])
	}
	return ""
}

// Unsafe says whether a character is invisible or changes how the text around it is shown: control characters (C0, C1),
// line and paragraph separators, bidirectional controls, tags, soft hyphens and whatever else Unicode calls a format or
// default-ignorable character, private use and noncharacters. Signs that stand before Arabic and Syriac digits are
// visible.
func Unsafe(r rune) bool {
	switch {
	case r == '\u200c' || r == '\u200d' || r == '\ufe0e' || r == '\ufe0f', unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return false
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Noncharacter_Code_Point):
		return true
	}
	return false
}

// visible says whether a character can be seen by itself.
func visible(r rune) bool {
	const braillePatternBlank = '\u2800'
	return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) && r != braillePatternBlank && !Unsafe(r)
}

// Terminal returns s as a line of a terminal may show it, whatever it contains: unsafe characters are written as their code
// points, such as <U+202E>, and text from right to left is isolated (UAX #9), so that it leaves the rest of the line as
// it is.
func Terminal(s string) string {
	var b strings.Builder
	rightToLeft := false
	for _, r := range s {
		if Unsafe(r) {
			fmt.Fprintf(&b, "<%U>", r)
			continue
		}
		rightToLeft = rightToLeft || unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko,
			unicode.Samaritan, unicode.Mandaic, unicode.Adlam, unicode.Hanifi_Rohingya, unicode.Mende_Kikakui)
		b.WriteRune(r)
	}
	if !rightToLeft {
		return b.String()
	}
	const firstStrongIsolate, popIsolate = "\u2068", "\u2069"
	return firstStrongIsolate + b.String() + popIsolate
}
