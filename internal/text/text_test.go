package text_test

import (
	"strings"
	"testing"

	"orderbell/internal/text"
)

func TestFault(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"", "A-1042", "Table 7, window", "Ærøskøbing", "桌子 3", "شاي", "می‌خواهم", "☕️", "👨‍👩‍👧", "क्‍ष", "e\u0301", "<b>&amp;</b>", "0", "?",
	} {
		if fault := text.Fault(good); fault != "" {
			t.Errorf("%q %s, want no fault", good, fault)
		}
	}
	for bad, point := range map[string]string{
		"A\u202e000,521": "U+202E", "\u202aA": "U+202A", "A\u2066": "U+2066", "A\u2069": "U+2069", "A\u200e": "U+200E", "A\u061c": "U+061C",
		"A\x00": "U+0000", "A\n": "U+000A", "A\x7f": "U+007F", "A\u0085": "U+0085", "A\u009b": "U+009B",
		"A\u2028": "U+2028", "A\u2029": "U+2029", "\ufeffA": "U+FEFF", "A\u00ad": "U+00AD", "A\u200b": "U+200B", "A\u2060": "U+2060",
		"A\U000e0041": "U+E0041", "A\U000e0100": "U+E0100", "A\ufe00": "U+FE00", "A\u034f": "U+034F", "\u115f": "U+115F", "\u3164": "U+3164",
		"A\ue000": "U+E000", "A\ufffe": "U+FFFE", "   ": "U+0020", "\u3000": "U+3000", "\u00a0": "U+00A0", "\u2800": "U+2800",
		"\u200dA": "U+200D", "A \u200d": "U+200D", "\ufe0f": "U+FE0F", "\u0301": "U+0301",
	} {
		if fault := text.Fault(bad); !strings.Contains(fault, point) {
			t.Errorf("%q: the fault is %q, want one that names %s", bad, fault, point)
		}
	}
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"A-1042": "A-1042", "A\u202e1": "A<U+202E>1", "a\x1b[31m": "a<U+001B>[31m", "\u009b": "<U+009B>", "שלום": "\u2068שלום\u2069", "☕️": "☕️",
	} {
		if got := text.Terminal(s); got != want {
			t.Errorf("%q is shown as %q, want %q", s, got, want)
		}
	}
}
