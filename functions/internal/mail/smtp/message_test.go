package smtp_test

import (
	"io"
	"math/rand/v2"
	"mime"
	netmail "net/mail"
	"regexp"
	"strings"
	"testing"
	"unicode"

	emersion "github.com/emersion/go-message/mail"

	"orderbell/internal/mail"
)

// texts are values that mail programs may show as something else, and random ones.
func texts() []string {
	all := []string{
		"Order A-1042 is paid", "=?utf-8?q?A=0D=0ABcc:_x@evil.example?=", "=?utf-8?q?The_Boss?=", "=?UTF-8?B?VGhlIEJvc3M=?=",
		"a =?utf-8?q?b?= c", "=?", "?=", "=?x", "a=?b?=c", "=?utf-8?q?a?= =?utf-8?q?b?=", `"quoted" \ back`, `a"; b@evil.example`,
		"Ayu <evil@evil.example>", "a, b@evil.example", "(comment)", "a@b.example", "two  spaces", " before", "after ", " ", "",
		"Ayu Sé", "日本語の長い名前がここにある日本語の長い名前がここにある日本語の長い名前がここにある", "🔔 bell 🔔", "é", "=", "_", "a_b",
		strings.Repeat("long ", 60) + "end", strings.Repeat("x", 500), strings.Repeat("ü", 300), "\u202eabc", "a\u00a0b", "?= =?",
	}
	alphabet := []rune("ab =?_\"\\<>@,;:().é喫🔔qQbButf-8")
	random := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		text := make([]rune, random.IntN(120))
		for i := range text {
			text[i] = alphabet[random.IntN(len(alphabet))]
		}
		all = append(all, string(text))
	}
	return all
}

// headerLine is a line that opens a header field.
var headerLine = regexp.MustCompile(`(?m)^[A-Za-z-]+:`)

// TestHeadersShowWhatTheyAreGiven reads mails with two independent parsers.
func TestHeadersShowWhatTheyAreGiven(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	cfg := config(s.url())
	all := texts()
	for i, text := range all {
		cfg.From = (&netmail.Address{Name: text, Address: "bell@orderbell.example"}).String()
		if strings.Contains(text, "=?") { // or it were decoded here
			cfg.From = mime.BEncoding.Encode("utf-8", text+"é") + " <bell@orderbell.example>"
		}
		m := setup(t, cfg)
		l := mail.Mail{MessageID: "1@orderbell.example", To: "owner@demo.example", ToName: text, Subject: text, Text: "x", HTML: "x"}
		if err := send(t, m, l); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		raw := s.received()[i]
		assertHeaders(t, raw, text)
	}
}

func assertHeaders(t *testing.T, raw, text string) {
	t.Helper()
	head, _, _ := strings.Cut(raw, "\n\n")
	if n := len(headerLine.FindAllString(head, -1)); n != 8 {
		t.Errorf("%q: %d header fields in\n%s", text, n, head)
	}
	for line := range strings.Lines(head) {
		if len(line) > 100 || strings.ContainsFunc(strings.TrimRight(line, "\n"), func(r rune) bool { return r > unicode.MaxASCII || r < ' ' }) {
			t.Errorf("%q: the line %q", text, line)
		}
	}
	parsed, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if got, err := new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject")); got != text || err != nil {
		t.Errorf("net/mail shows the subject %q, want %q (%v)", got, text, err)
	}
	reader, err := emersion.CreateReader(strings.NewReader(strings.ReplaceAll(raw, "\n", "\r\n")))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	defer func() { _ = reader.Close() }()
	if got, err := reader.Header.Subject(); got != text || err != nil {
		t.Errorf("go-message shows the subject %q, want %q (%v)", got, text, err)
	}
	to, err := parsed.Header.AddressList("To")
	if err != nil || len(to) != 1 || to[0].Name != text || to[0].Address != "owner@demo.example" {
		t.Errorf("%q: net/mail shows the recipient %v, %v", text, to, err)
	}
	second, err := reader.Header.AddressList("To")
	if err != nil || len(second) != 1 || second[0].Name != text || second[0].Address != "owner@demo.example" {
		t.Errorf("%q: go-message shows the recipient %v, %v", text, second, err)
	}
	want := text
	if strings.Contains(text, "=?") {
		want += "é"
	}
	from, err := parsed.Header.AddressList("From")
	if err != nil || len(from) != 1 || from[0].Name != want || from[0].Address != "bell@orderbell.example" {
		t.Errorf("%q: net/mail shows the sender %v, %v", want, from, err)
	}
	if _, err := io.Copy(io.Discard, parsed.Body); err != nil {
		t.Error(err)
	}
}

func TestMessageRefusesEncodedWordsWhereTheyCannotBeEscaped(t *testing.T) {
	t.Parallel()
	m := setup(t, config(serve(t, nil).url()))
	for name, change := range map[string]func(*mail.Mail){
		"a Message-ID":          func(l *mail.Mail) { l.MessageID = "=?utf-8?q?a?=@b.example" },
		"an unsubscribe link":   func(l *mail.Mail) { l.Unsubscribe = "https://x.example/=?utf-8?q?a?=" },
		"a Message-ID of two":   func(l *mail.Mail) { l.MessageID = "a@b.example> <c@d.example" },
		"an address literal":    func(l *mail.Mail) { l.To = "a@[127.0.0.1]" },
		"a recipient at a host": func(l *mail.Mail) { l.To = "a@localhost" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := aMail()
			change(&l)
			assertFate(t, send(t, m, l), mail.Refused, 0)
		})
	}
}

func TestEnvelopeHasALabels(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	l := aMail()
	l.To = "kasse@bücher.example" // a row that is older than the rule
	if err := send(t, setup(t, config(s.url())), l); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := strings.Join(s.commands, "\n"); got != "MAIL FROM:<bell@orderbell.example>\nRCPT TO:<kasse@xn--bcher-kva.example>" {
		t.Errorf("the envelope is %s", got)
	}
}
