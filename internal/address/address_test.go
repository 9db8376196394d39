package address_test

import (
	"strings"
	"testing"

	"orderbell/internal/address"
)

func TestParse(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63) + "."
	for given, want := range map[string]string{
		"ayu@demo.example":                     "ayu@demo.example",
		"Ayu.Sari+tills@Demo.EXAMPLE":          "Ayu.Sari+tills@demo.example",
		"kasse@bücher.example":                 "kasse@xn--bcher-kva.example",
		"kasse@BÜCHER.example":                 "kasse@xn--bcher-kva.example",
		"kasse@bu\u0308cher.example":           "kasse@xn--bcher-kva.example", // decomposed
		"kasse@xn--bcher-kva.example":          "kasse@xn--bcher-kva.example",
		"kasse@XN--BCHER-KVA.example":          "kasse@xn--bcher-kva.example",
		"kasse@ｄｅｍｏ.example":                   "kasse@demo.example", // full width
		"kasse@demo。example":                   "kasse@demo.example", // ideographic full stop
		"kasse@straße.example":                 "kasse@xn--strae-oqa.example",
		"a@喫茶.example":                         "a@xn--71ru37h.example",
		"o'hara/x=y@a-b.c1.example":            "o'hara/x=y@a-b.c1.example",
		strings.Repeat("l", 64) + "@b.example": strings.Repeat("l", 64) + "@b.example",
		"azAZ09!~@b.example":                   "azAZ09!~@b.example",
		"a@shop.asia":                          "a@shop.asia",
		"a@" + long + "example":                "a@" + long + "example",
		strings.Repeat("l", 64) + "@" + long + long + strings.Repeat("a", 61): strings.Repeat("l", 64) + "@" + long + long + strings.Repeat("a", 61), // 254

		"":                                     "",
		"ayu":                                  "",
		"@b.example":                           "",
		"a@":                                   "",
		"a b@c.example":                        "",
		"a@b example.com":                      "",
		" a@b.example":                         "",
		"a@b.example ":                         "",
		"a@b.example\u00a0":                    "",
		"a@b.example\r\nRCPT TO:<x@y.example>": "",
		"a@b@c.example":                        "",
		"Ayu <a@b.example>":                    "",
		"<a@b.example>":                        "",
		".a@b.example":                         "",
		"a.@b.example":                         "",
		"a..b@c.example":                       "",
		`"a b"@c.example`:                      "",
		`"a"@c.example`:                        "",
		"a(c)@b.example":                       "",
		"ü@b.example":                          "",
		"a@[127.0.0.1]":                        "",
		"a@[IPv6:::1]":                         "",
		"a@127.0.0.1":                          "",
		"a@127.0.0.0x1":                        "",
		"a@b.4you":                             "",
		"a@b.for4":                             "a@b.for4",
		"a@localhost":                          "",
		"a@example":                            "",
		"a@-x":                                 "",
		"a@r3--x.example":                      "a@r3--x.example",
		"a@-x.example":                         "",
		"a@x-.example":                         "",
		"a@x_y.example":                        "",
		"a@.example":                           "",
		"a@x..example":                         "",
		"a@x.example.":                         "",
		"a@xn--.example":                       "",
		"a@xn--a.example":                      "",
		"a@a\u200db.example":                   "", // a joiner where none may be
		"a@a\u202eb.example":                   "",
		"a@b.example\x00":                      "",
		"a@\ufffd.example":                     "",
		"a@\xff.example":                       "",
		strings.Repeat("l", 65) + "@b.example": "",
		strings.Repeat("l", 70) + "@b.example": "",
		"a@" + strings.Repeat("b", 64) + ".example":                           "",
		"a@" + long + long + long + long + "example":                          "", // a domain of 263
		strings.Repeat("l", 64) + "@" + long + long + strings.Repeat("a", 62): "", // 255
	} {
		got, err := address.Parse(given)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Parse(%q) = %q, %v, want %q", given, got, err, want)
		}
		if err == nil {
			if again, err := address.Parse(got); again != got || err != nil {
				t.Errorf("Parse(%q), parsed already, = %q, %v", got, again, err)
			}
		}
	}
}

// TestFaultsOfAnAddress checks that the error says what a user has to change.
func TestFaultsOfAnAddress(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"ayu": "form name@domain", "@b.example": "needs a name", `"a"@b.example`: "quotation marks", "ü@b.example": "only ASCII", "\u0080@b.example": "only ASCII",
		"a(b@c.example": `cannot have '('`, "a\x7f@c.example": "cannot have", "a..b@c.example": "two in a row", "a@[127.0.0.1]": "IP address as its domain", "a@": "must end with a domain",
		"a@b.": "must end with a domain", "a@127.0.0.1": "ends with a number", "a@b.4you": "begins with a digit", "a@localhost": "no dot",
		"a@b_c.example": "is not a domain", strings.Repeat("l", 65) + "@b.example": "64 characters before the @",
		"ab@" + strings.Repeat("a.", 126) + "a": "254 characters",
	} {
		_, err := address.Parse(given)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error of %q is %v, want one about %s", given, err, want)
		}
	}
	for labels, fits := range map[int]bool{126: true, 127: false} { // 253 and 255 bytes
		if _, err := address.Domain(strings.Repeat("a.", labels) + "a"); (err == nil) != fits {
			t.Errorf("a domain of %d labels: %v", labels+1, err)
		}
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"Kasse@bücher.example", "kasse@xn--bcher-kva.example"}, {"A@B.example", "a@b.example"}, {"a@localhost", "A@localhost"},
	} {
		if !address.Same(pair[0], pair[1]) {
			t.Errorf("%q and %q are two mailboxes", pair[0], pair[1])
		}
	}
	if address.Same("a@b.example", "a@c.example") || address.Same("kasse@bücher.example", "kasse@bucher.example") {
		t.Error("two mailboxes are one")
	}
}

func TestParseMailbox(t *testing.T) {
	t.Parallel()
	for given, want := range map[string][2]string{
		"bell@orderbell.example":                  {"", "bell@orderbell.example"},
		"Orderbell <bell@orderbell.example>":      {"Orderbell", "bell@orderbell.example"},
		`"Bell, Order" <bell@BÜCHER.example>`:     {"Bell, Order", "bell@xn--bcher-kva.example"},
		"=?utf-8?q?K=C3=B6nig?= <bell@b.example>": {"König", "bell@b.example"},
		"nobody":                             {},
		"Bell <bell@localhost>":              {},
		"Bell <bell@b.example>, c@d.example": {},
		"":                                   {},
	} {
		got, err := address.ParseMailbox(given)
		if got.Name != want[0] || got.Address != want[1] || (err == nil) != (want[1] != "") {
			t.Errorf("ParseMailbox(%q) = %+v, %v", given, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a@b.example", "kasse@bücher.example", "a@[1.2.3.4]", "\"x\"@y.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := address.Parse(s)
		if err != nil {
			return
		}
		if again, err := address.Parse(got); again != got || err != nil {
			t.Fatalf("%q is %q, and that %q, %v", s, got, again, err)
		}
		for _, c := range []byte(got) {
			if c <= ' ' || c > '~' || strings.ContainsRune(`"<>()[],;:\`, rune(c)) {
				t.Fatalf("%q holds %q", got, c)
			}
		}
	})
}
