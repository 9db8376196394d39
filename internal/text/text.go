// Package text says which characters a name may contain, and makes any text safe to show.
//
// A reference of an order, the name of a user and the name of a tenant are shown in the middle of other text: beside an
// amount, in the subject of a mail, in a line of a terminal. So they contain no character that changes how its
// neighbours are shown, and at least one visible character. The rule is one regular expression, [Pattern]. The
// contracts, the page and the database have the same one, and all are tested with the cases in contracts/text.json.
package text

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The classes are ranges of code points, not Unicode properties, so that every engine and version has the same result.
const (
	// Refused are the characters that no name contains: control characters (C0, C1), line and paragraph separators,
	// bidirectional controls, soft hyphens, tags, fillers and others that are invisible by themselves, private use,
	// noncharacters, and the planes without characters.
	Refused = `\x00-\x1f` + others
	others  = `\x7f-\x9f` + "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f" +
		"\u3164\ue000-\uf8ff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff\U00013430-\U0001343f\U0001bca0-\U0001bca3" +
		"\U0001d173-\U0001d17a\U0001fffe\U0001ffff\U0002fffe\U0002ffff\U0003fffe-\U000e00ff\U000e01f0-\U0010ffff"

	// Joiners must follow a visible character: combining marks, zero width joiner and non-joiner (for emoji, Persian
	// and Hindi), and variation selectors (for emoji, Mongolian and Japanese names).
	Joiners = "\u0300-\u034e\u0350-\u036f\u0483-\u0489\u180b-\u180d\u180f\u1ab0-\u1aff\u1dc0-\u1dff\u200c\u200d\u20d0-\u20ff\ufe00-\ufe0f" +
		"\ufe20-\ufe2f\U000e0100-\U000e01ef"

	// Blanks are the spaces, and the braille pattern without dots.
	Blanks = " \u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000"
)

// Pattern is the rule for a name that is not empty: visible characters, joiners after visible characters, and blanks,
// with at least one visible character. It works in RE2, ECMAScript (with the flag u) and Python; for PostgreSQL see
// [SaidSQL].
const Pattern = "^[" + Blanks + "]*([^" + Refused + Joiners + Blanks + "][" + Joiners + "]*[" + Blanks + "]*)+$"

var (
	rule        = regexp.MustCompile(Pattern)
	anyRefused  = regexp.MustCompile("[" + Refused + "]")
	loneJoiner  = regexp.MustCompile("(?:^|[" + Blanks + "])([" + Joiners + "])")
	outerBlanks = regexp.MustCompile("^[" + Blanks + "]+|[" + Blanks + "]+$")
	manyBlanks  = regexp.MustCompile("[" + Blanks + "]+")
)

// SaidSQL is an expression of PostgreSQL: the text of the column said, without the characters that violate the rule,
// for an event. Only rows older than the rule have such characters. PostgreSQL's text has no U+0000.
const SaidSQL = "CASE WHEN said = '' OR said ~ '^[" + Blanks + "]*([^" + refusedSQL + Joiners + Blanks + "][" + Joiners + "]*[" + Blanks + "]*)+$'" +
	" THEN said ELSE regexp_replace(regexp_replace(said, '[" + refusedSQL + Joiners + "]', '', 'g'), '^[" + Blanks + "]+$', '') END"

const refusedSQL = `\x01-\x1f` + others

// List returns the values with commas between them, for a message.
func List[T ~string](values []T) string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = string(v)
	}
	return strings.Join(names, ", ")
}

// ClipBytes returns at most so many bytes of s, and an ellipsis where there are more. It is UTF-8: a cut within a character removes
// that character.
func ClipBytes(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// ClipChars returns at most so many characters of s, and an ellipsis where there are more.
func ClipChars(s string, most int) string {
	count := 0
	for at := range s {
		if count++; count > most {
			return s[:at] + "…"
		}
	}
	return s
}

// Fault returns what is wrong with a name, with the code point at fault, or "". An empty name has no fault: the caller
// decides whether it may be empty.
func Fault(s string) string {
	if s == "" || plain(s) {
		return ""
	}
	if !utf8.ValidString(s) {
		return "is not UTF-8"
	}
	if at := anyRefused.FindString(s); at != "" {
		return "contains " + point(at) + ", which is invisible or changes how the text around it is shown"
	}
	if at := loneJoiner.FindStringSubmatch(s); at != nil {
		return "contains " + point(at[1]) + " without a character before it"
	}
	if !rule.MatchString(s) {
		return "has nothing visible: it begins with " + point(s)
	}
	return ""
}

// plain reports whether s is printable ASCII with a visible character, as most names are.
func plain(s string) bool {
	seen := false
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
		seen = seen || s[i] != ' '
	}
	return seen
}

// point returns the code point of the first character of s, such as U+202E.
func point(s string) string {
	r, _ := utf8.DecodeRuneInString(s)
	return fmt.Sprintf("%U", r)
}

// Normal returns a name without blanks at its ends and in Unicode form NFC, so that equal-looking names are equal.
// Names are stored and searched in this form. A name without [Fault] has none afterwards.
func Normal(s string) string { return norm.NFC.String(outerBlanks.ReplaceAllString(s, "")) }
