package text_test

import (
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

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
		"a\tb\rc\vd":        {"a<U+0009>b<U+000D>c<U+000B>d", "a b c d", "a\tb\rc\\u000bd"},
		"a\u2028b\nc":       {"a<U+2028>b<U+000A>c", "a b c", "a\\u2028b\nc"},
		"A\U000e0041":       {"A<U+E0041>", "A", `A\udb40\udc41`},
		"שלום":              {"\u2068שלום\u2069", "שלום", "שלום"},
		"٣":                 {"\u2068٣\u2069", "٣", "٣"},
		"☕\ufe0f":           {"☕\ufe0f", "☕\ufe0f", "☕\ufe0f"},
		"\u3000A \u00a0 B ": {"\u3000A \u00a0 B ", "A B", "\u3000A \u00a0 B "},
		"\u200d":            {"\u200d", "", "\u200d"},
		"A\U0001d1591":      {"A<U+1D159>1", "A1", `A\ud834\udd591`},
		"\U00016fe4":        {"<U+16FE4>", "", `\ud81b\udfe4`},
		"\U00016fe4\u0301":  {"<U+16FE4>\u0301", "", `\ud81b\udfe4` + "\u0301"},
		"\U00013441":        {"<U+13441>", "", `\ud80d\udc41`},
		"\U00013442A":       {"<U+13442>A", "A", `\ud80d\udc42A`},
	} {
		if got := [3]string{text.Terminal(s), text.Line(s), string(text.JSON([]byte(s)))}; got != want {
			t.Errorf("%q is shown as %q, want %q", s, got, want)
		}
	}
}

// TestAFloodOfMarksIsCut has marks above and below of several scripts, joiners between them, and names that have many marks.
func TestAFloodOfMarksIsCut(t *testing.T) {
	t.Parallel()
	for _, mark := range []string{"\u0301", "\u0322", "\u20dd", "\u0e49", "\u0651", "\u0489", "\u200d", "\ufe0f"} {
		few := "Z" + strings.Repeat(mark, 6)
		flood := few + strings.Repeat(mark, 30)
		for _, got := range []string{text.Terminal(flood + "B"), text.Line(flood + "B")} {
			if got != few+"B" && got != "\u2068"+few+"B\u2069" {
				t.Errorf("a flood of %+q becomes %+q", mark, got)
			}
		}
		if fault := text.Fault(flood); fault != "" {
			t.Errorf("a flood of %+q %s: the released contract accepts it", mark, fault)
		}
	}
	mixed := "Z" + strings.Repeat("\u0301\u200d\u0e49", 20) + "B"
	if got := text.Line(mixed); got != "Z"+strings.Repeat("\u0301\u200d\u0e49", 2)+"B" {
		t.Errorf("marks and joiners in turns become %+q", got)
	}
	for _, name := range append(texttest.Read(t).Accepted, "שָּֽׁ֧לום", "ཧྐྵྨླྺྼ", "นี้ ที่", "ลู๊ก", "क्षि", "Việt Nam", norm.NFD.String("Việt Nam ấ"), "1\ufe0f\u20e3") {
		if got := text.Line(name); strings.Join(strings.Fields(got), "") != strings.Join(strings.Fields(name), "") {
			t.Errorf("the name %+q becomes %+q", name, got)
		}
	}
}
