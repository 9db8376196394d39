package wording_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/order"
	"orderbell/internal/wording"
)

func load(t *testing.T) *wording.Catalogues {
	t.Helper()
	c, err := wording.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryLanguageSaysTheSame(t *testing.T) {
	t.Parallel()
	c := load(t)
	if languages := c.Languages(); len(languages) < 2 || languages[0] != "en" {
		t.Fatalf("the languages are %v", languages)
	}
	placeholder := regexp.MustCompile(`\{[a-z]+\}`)
	sorted := func(text string) []string {
		found := placeholder.FindAllString(text, -1)
		slices.Sort(found)
		return found
	}
	english := c.For("en").Messages()
	for _, tag := range c.Languages() {
		messages := c.For(tag).Messages()
		if diff := cmp.Diff(slices.Sorted(maps.Keys(english)), slices.Sorted(maps.Keys(messages))); diff != "" {
			t.Errorf("%s has other messages than en: %s", tag, diff)
		}
		for key, text := range messages {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s: %s is empty", tag, key)
			}
			if diff := cmp.Diff(sorted(english[key]), sorted(text)); diff != "" {
				t.Errorf("%s: %s has other placeholders than in en: %s", tag, key, diff)
			}
		}
		if months := strings.Fields(messages["months"]); len(months) != 12 {
			t.Errorf("%s has %d months", tag, len(months))
		}
	}
}

func TestFor(t *testing.T) {
	t.Parallel()
	c := load(t)
	for locale, want := range map[string]string{
		"en": "en", "en-AU": "en", "id": "id", "id-ID": "id", "in": "id", "fr": "en", "": "en", "no language": "en",
	} {
		if got := c.For(locale).Language; got != want {
			t.Errorf("For(%q) has the language %s, want %s", locale, got, want)
		}
	}
}

func TestSay(t *testing.T) {
	t.Parallel()
	w := load(t).For("en")
	if got := w.Say("mail.hello", "name", "{tenant} {name}"); got != "Hello {tenant} {name}," {
		t.Errorf("a value is used as a message: %q", got)
	}
	if got := w.Say("no.such.key"); got != "no.such.key" {
		t.Errorf("an unknown message is %q", got)
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	c := load(t)
	at := time.Date(2026, 8, 24, 22, 5, 0, 0, time.UTC)
	for _, tt := range []struct{ locale, zone, want string }{
		{"en", "UTC", "24 August 2026, 22:05 UTC"},
		{"en", "Asia/Jakarta", "25 August 2026, 05:05 WIB"},
		{"id", "Asia/Jakarta", "25 Agustus 2026 pukul 05.05 WIB"},
		{"id", "Asia/Singapore", "25 Agustus 2026 pukul 06.05 UTC+08:00"},
		{"en", "Europe/Berlin", "25 August 2026, 00:05 CEST"},
		{"en", "Mars/Olympus", "24 August 2026, 22:05 UTC"},
	} {
		if got := c.For(tt.locale).Time(at, tt.zone); got != tt.want {
			t.Errorf("%s, %s: %q, want %q", tt.locale, tt.zone, got, tt.want)
		}
	}
}

func TestAmount(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, tt := range []struct {
		locale string
		minor  int64
		code   string
		want   string
	}{
		{"en", 125000, "IDR", "IDR\u00a0125,000"},
		{"id", 125000, "IDR", "IDR\u00a0125.000"},
		{"en", 500, "JPY", "JPY\u00a0500"},
		{"en", 1500, "KWD", "KWD\u00a01.500"},
		{"id", 1500, "KWD", "KWD\u00a01,500"},
		{"en", 125050, "COP", "COP\u00a01,250.50"}, // CLDR alone would say 125,050
		{"en", 12345, "CLF", "CLF\u00a01.2345"},
		{"en", 1, "EUR", "EUR\u00a00.01"},
		{"en", 0, "USD", "USD\u00a00.00"},
		{"en", order.MaxAmount, "USD", "USD\u00a010,000,000,000.00"},
		{"en", order.MaxAmount - 1, "USD", "USD\u00a09,999,999,999.99"},
		{"en", order.MaxAmount - 1, "KWD", "KWD\u00a0999,999,999.999"},
		{"en", 1250, "QQQ", "1,250 minor units of QQQ"},
		{"id", 1250, "QQQ", "1.250 satuan terkecil QQQ"},
	} {
		if got := c.For(tt.locale).Amount(tt.minor, tt.code); got != tt.want {
			t.Errorf("%s: Amount(%d, %s) = %q, want %q", tt.locale, tt.minor, tt.code, got, tt.want)
		}
	}
}
