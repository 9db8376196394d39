package text

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/bidi"
)

// The functions of this file are for text older than the rule, for text from other programs, for right-to-left names, and
// for what [Pattern] accepts although it cannot be seen or covers its neighbours. Contract 1.0.0 has that pattern, and a
// narrower one would break its users (docs/contract-policy.md). So such a name is stored as it is, and shown without harm.

// Unseen are characters without a shape that the contract accepts: a null notehead, a Khitan filler, Egyptian blanks.
const Unseen = "\U0001d159\U00016fe4\U00013441\U00013442"

// mostMarks is the number of marks on one character that are shown. Hebrew with all its signs has five, a Tibetan stack six.
// With more of them a name covers the lines above and below it.
const mostMarks = 6

const mark = `[\p{M}` + Joiners + "]"

var (
	notShown  = regexp.MustCompile("[" + Refused + Unseen + "]")
	manyMarks = regexp.MustCompile(fmt.Sprintf("(%s{%d})%s+", mark, mostMarks, mark))
)

func fewMarks(s string) string { return manyMarks.ReplaceAllString(s, "$1") }

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

// Terminal returns s as safe text for a terminal: a character that no name may contain, or that has no shape, is written as its
// code point, such as <U+202E>, a character has a few marks, and right-to-left text is isolated.
func Terminal(s string) string {
	return Isolate(fewMarks(notShown.ReplaceAllStringFunc(strings.ToValidUTF8(s, "\uFFFD"), func(c string) string { return "<" + point(c) + ">" })))
}

// JSON escapes the characters that no name may contain, or that have no shape, in a JSON text. White space between its values is kept.
func JSON(raw []byte) []byte {
	return notShown.ReplaceAllFunc(raw, func(c []byte) []byte {
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

// Line returns s as one line for a mail, without the characters that no name may contain or that have no shape, with a few
// marks on one character and single spaces.
func Line(s string) string {
	s = notShown.ReplaceAllStringFunc(strings.ToValidUTF8(s, ""), func(c string) string {
		if r, _ := utf8.DecodeRuneInString(c); unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			return " "
		}
		return ""
	})
	s = strings.TrimSpace(manyBlanks.ReplaceAllString(fewMarks(s), " "))
	if Fault(s) != "" { // joiners alone
		return ""
	}
	return s
}
