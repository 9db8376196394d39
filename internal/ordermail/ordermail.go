// Package ordermail writes the e-mail that tells a person of an order: subject, text and HTML.
package ordermail

import (
	"bytes"
	"embed"
	"fmt"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"
	"unicode"

	"orderbell/internal/event"
	"orderbell/internal/letter"
)

//go:embed templates
var files embed.FS

// Writer renders letters. It is safe for concurrent use.
type Writer struct {
	html        *htmltemplate.Template
	text        *texttemplate.Template
	unsubscribe func(letter.Due) string
}

// New parses the templates. Unsubscribe returns the URL at which the person of a letter can end the mails with one
// POST (RFC 8058); with nil, letters offer none.
func New(unsubscribe func(letter.Due) string) (*Writer, error) {
	html, err := htmltemplate.ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse mail templates: %w", err)
	}
	text, err := texttemplate.ParseFS(files, "templates/*.txt")
	if err != nil {
		return nil, fmt.Errorf("parse mail templates: %w", err)
	}
	return &Writer{html: html, text: text, unsubscribe: unsubscribe}, nil
}

// view is what a template sees. Every field is one line.
type view struct {
	Tenant      string
	Name        string // may be empty
	Order       string // "Order A-1042"
	Reference   string // "A-1042"
	OrderID     string
	Amount      string
	Time        string
	Unsubscribe string // may be empty
}

// Write renders d. An event type without a template is an error.
func (w *Writer) Write(d letter.Due) (letter.Letter, error) {
	if d.Type != event.OrderPaid {
		return letter.Letter{}, fmt.Errorf("write mail: there is no template for %s", d.Type)
	}
	v := view{
		Tenant:    oneLine(d.TenantName),
		Name:      oneLine(d.Name),
		Order:     "Order " + reference(d.Data),
		Reference: reference(d.Data),
		OrderID:   d.Data.OrderID,
		Amount:    Amount(d.Data.TotalAmount, d.Data.Currency),
		Time:      d.Data.Timestamp.UTC().Format("2 January 2006, 15:04 UTC"),
	}
	if w.unsubscribe != nil {
		v.Unsubscribe = w.unsubscribe(d)
	}
	l := letter.Letter{
		MessageID: d.MessageID, To: d.Email, ToName: v.Name, Unsubscribe: v.Unsubscribe,
		Subject: fmt.Sprintf("%s is paid: %s (%s)", v.Order, v.Amount, v.Tenant),
	}
	var body bytes.Buffer
	if err := w.text.ExecuteTemplate(&body, string(d.Type)+".txt", v); err != nil {
		return letter.Letter{}, fmt.Errorf("write mail: %w", err)
	}
	l.Text = body.String()
	body.Reset()
	if err := w.html.ExecuteTemplate(&body, string(d.Type)+".html", v); err != nil {
		return letter.Letter{}, fmt.Errorf("write mail: %w", err)
	}
	l.HTML = body.String()
	return l, nil
}

// reference is how people call the order: by its reference, or by the last digits of its id where it has none (the
// first ones of a UUIDv7 are the time, alike for all orders of a day).
func reference(d event.Data) string {
	if r := oneLine(d.Reference); r != "" {
		return r
	}
	return "…" + d.OrderID[max(0, len(d.OrderID)-6):]
}

// oneLine returns s without the characters that could break a line, hide, or turn its direction: names come from
// tenants, and end up in headers.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.In(r, unicode.Zl, unicode.Zp):
			return ' '
		case unicode.In(r, unicode.Bidi_Control), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return strings.Join(strings.Fields(s), " ")
}
