package text_test

import (
	"testing"

	"orderbell/internal/text"
	"orderbell/internal/text/texttest"
)

func TestFault(t *testing.T) {
	t.Parallel()
	c := texttest.Read(t)
	for _, good := range append(c.Accepted, "") {
		if fault := text.Fault(good); fault != "" {
			t.Errorf("%q %s, want no fault", good, fault)
		}
	}
	for _, bad := range c.Refused {
		if fault := text.Fault(bad.Text); !bad.Named(fault) {
			t.Errorf("%q: the fault is %q, want one that names %s", bad.Text, fault, bad.Point)
		}
	}
	if text.Fault("A\xff") == "" {
		t.Error("bytes that are not UTF-8 have no fault")
	}
}

func TestNormal(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"": "", "A-1042": "A-1042", " A 1\u3000": "A 1", "Cafe\u0301": "Caf\u00e9", "\u212b": "\u00c5", "می\u200cخواهم": "می\u200cخواهم",
	} {
		if got := text.Normal(s); got != want {
			t.Errorf("Normal(%q) = %q, want %q", s, got, want)
		}
	}
	for _, good := range texttest.Read(t).Accepted {
		if n := text.Normal(good); text.Fault(n) != "" || n == "" || text.Normal(n) != n {
			t.Errorf("Normal(%q) = %q, which %q", good, n, text.Fault(n))
		}
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		s            string
		most         int
		bytes, chars string
	}{
		{"order", 5, "order", "order"},
		{"orders", 5, "order…", "order…"},
		{"ééé", 3, "é…", "ééé"}, // the cut of bytes is within the second character
		{"éééé", 3, "é…", "ééé…"},
		{"☕☕", 6, "☕☕", "☕☕"},
		{"", 0, "", ""},
		{"a", 0, "…", "…"},
	} {
		if got := text.ClipBytes(tt.s, tt.most); got != tt.bytes {
			t.Errorf("ClipBytes(%q, %d) = %q, want %q", tt.s, tt.most, got, tt.bytes)
		}
		if got := text.ClipChars(tt.s, tt.most); got != tt.chars {
			t.Errorf("ClipChars(%q, %d) = %q, want %q", tt.s, tt.most, got, tt.chars)
		}
	}
}

func TestShow(t *testing.T) {
	t.Parallel()
	for s, want := range map[string][3]string{ // in a terminal, in a mail, in JSON
		"A-1042":            {"A-1042", "A-1042", "A-1042"},
		"A\u202e1":          {"A<U+202E>1", "A1", `A\u202e1`},
		"a\x1b[31m":         {"a<U+001B>[31m", "a [31m", `a\u001b[31m`},
		"a\u009bb":          {"a<U+009B>b", "a b", `a\u009bb`},
		"a\u2028b\nc":       {"a<U+2028>b<U+000A>c", "a b c", "a\\u2028b\nc"},
		"A\U000e0041":       {"A<U+E0041>", "A", `A\udb40\udc41`},
		"שלום":              {"\u2068שלום\u2069", "שלום", "שלום"},
		"٣":                 {"\u2068٣\u2069", "٣", "٣"},
		"☕\ufe0f":           {"☕\ufe0f", "☕\ufe0f", "☕\ufe0f"},
		"\u3000A \u00a0 B ": {"\u3000A \u00a0 B ", "A B", "\u3000A \u00a0 B "},
		"\u200d":            {"\u200d", "", "\u200d"},
	} {
		if got := [3]string{text.Terminal(s), text.Line(s), string(text.JSON([]byte(s)))}; got != want {
			t.Errorf("%q is shown as %q, want %q", s, got, want)
		}
	}
}
