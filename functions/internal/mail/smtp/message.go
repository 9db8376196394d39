package smtp

import (
	"fmt"
	"io"
	netmail "net/mail"
	"net/url"
	"strings"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"orderbell/functions/internal/mail/optout"
	"orderbell/internal/address"
	"orderbell/internal/mail"
)

// message is a mail as it is sent.
type message struct {
	from, to string // the envelope, without brackets
	content  io.WriterTo
}

// message builds the RFC 5322 message. No value can add a header: addresses are parsed, values with a control character are refused,
// and all text goes through [encodeText].
func (m *Mailer) message(l mail.Mail) (*message, error) {
	for name, value := range map[string]string{
		"subject": l.Subject, "recipient's name": l.ToName, "Message-ID": l.MessageID, "unsubscribe address": l.Unsubscribe,
	} {
		if hasControl(value) {
			return nil, fmt.Errorf("the mail's %s contains a control character", name)
		}
	}
	to, err := address.Parse(l.To)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", l.To, err)
	}
	if encodes(l.MessageID) || strings.ContainsAny(l.MessageID, "<> ") {
		return nil, fmt.Errorf("%q is not a Message-ID", l.MessageID)
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.SetGenHeaderPreformatted("From", encodeMailbox(m.from))
	msg.SetGenHeaderPreformatted("To", encodeMailbox(netmail.Address{Name: l.ToName, Address: to}))
	msg.SetGenHeaderPreformatted("Subject", encodeText(l.Subject))
	msg.SetDate()
	msg.SetMessageIDWithValue(l.MessageID)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office replies
	if l.Unsubscribe != "" {
		link, err := url.Parse(l.Unsubscribe)
		if err != nil || !optout.Safe(link) || encodes(link.String()) {
			return nil, fmt.Errorf("%q is not an unsubscribe address", l.Unsubscribe)
		}
		msg.SetListUnsubscribe(link.String())
		msg.SetListUnsubscribePost()
	}
	msg.SetBodyString(gomail.TypeTextPlain, l.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, l.HTML)
	return &message{from: m.from.Address, to: to, content: msg}, nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' })
}

// encodes reports whether a mail program may take a part of s for an encoded word (RFC 2047) and decode it.
func encodes(s string) bool { return strings.Contains(s, "=?") }

// lineLength is the recommended length of a header line (RFC 5322 §2.1.1), less the room for the field's name.
const lineLength = 60

// plain reports whether s can be written into a header unchanged, on one line.
func plain(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	// Spaces at an end or in a row are lost when a header is folded or trimmed on the way.
	return !encodes(s) && len(s) <= lineLength && strings.TrimSpace(s) == s && !strings.Contains(s, "  ")
}

// encodeText returns the value of an unstructured header that every mail program shows as exactly s: unchanged, or as
// encoded words. A text that looks like an encoded word is encoded, because mail programs would decode it.
func encodeText(s string) string {
	if plain(s) {
		return s
	}
	return encodedWords(s)
}

// encodeMailbox returns a mailbox for an address header, with a name that is shown exactly as it is.
func encodeMailbox(a netmail.Address) string {
	name := a.Name
	switch {
	case name == "":
		return "<" + a.Address + ">"
	case plain(name):
		name = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
	default:
		name = encodedWords(name)
	}
	if at := strings.LastIndexByte(name, '\n'); len(name)-at+len(a.Address) > lineLength {
		return name + "\r\n <" + a.Address + ">"
	}
	return name + " <" + a.Address + ">"
}

const (
	wordStart  = "=?utf-8?q?"
	wordEnd    = "?="
	wordLength = 75 // of an encoded word (RFC 2047 §2)
)

// encodedWords returns s as encoded words, one on each line: mail programs drop the space between two encoded words. Characters
// that a name may not contain are escaped too (§5 (3)), and no character is split between two words.
func encodedWords(s string) string {
	var all, word strings.Builder
	flush := func() {
		if all.Len() > 0 {
			all.WriteString("\r\n ")
		}
		all.WriteString(wordStart + word.String() + wordEnd)
		word.Reset()
	}
	for _, r := range s { // invalid UTF-8 becomes U+FFFD
		escaped := escape(r)
		if word.Len()+len(escaped) > wordLength-len(wordStart)-len(wordEnd) {
			flush()
		}
		word.WriteString(escaped)
	}
	flush()
	return all.String()
}

func escape(r rune) string {
	switch {
	case r == ' ':
		return "_"
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("!*+-/", r):
		return string(r)
	}
	var escaped strings.Builder
	for _, b := range []byte(string(r)) {
		fmt.Fprintf(&escaped, "=%02X", b)
	}
	return escaped.String()
}
