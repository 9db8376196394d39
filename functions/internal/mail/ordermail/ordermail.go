// Package ordermail writes the mails to users in the tenant's language: subject, text and HTML. A mail is about an order, or asks
// for the confirmation of an address.
package ordermail

import (
	"bytes"
	"embed"
	"fmt"
	htmltemplate "html/template"
	texttemplate "text/template"

	"orderbell/internal/event"
	"orderbell/internal/mail"
	"orderbell/internal/order"
	"orderbell/internal/text"
	"orderbell/internal/user"
	"orderbell/internal/wording"
)

//go:embed templates
var files embed.FS

// Links are the links in a mail. Empty ones are left out.
type Links struct {
	Unsubscribe string // unsubscribes with one POST (RFC 8058), and shows a page on GET
	Preferences string // the user's preferences
	Confirm     string // of a mail that asks for a confirmation: confirms the address
}

// Writer renders mails. It is safe for concurrent use.
type Writer struct {
	words *wording.Catalogues
	html  *htmltemplate.Template
	text  *texttemplate.Template
	links func(mail.Due) Links
}

// New parses the templates. links returns the links of a mail; with nil, mails have none.
func New(links func(mail.Due) Links) (*Writer, error) {
	words, err := wording.Load()
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what
	}
	html, err := htmltemplate.ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse mail templates: %w", err)
	}
	text, err := texttemplate.ParseFS(files, "templates/*.txt")
	if err != nil {
		return nil, fmt.Errorf("parse mail templates: %w", err)
	}
	if links == nil {
		links = func(mail.Due) Links { return Links{} }
	}
	return &Writer{words: words, html: html, text: text, links: links}, nil
}

// labels are the texts of rows and links.
type labels struct{ Order, Time, ID, Unsubscribe, Preferences string }

// view is the data of the templates. Every field is one line.
type view struct {
	Language      string // BCP 47
	Tenant        string
	Badge         string   // "Paid"
	Tone          string   // of the badge: good, calm or bad
	Headline      string   // "Order A-1042 is paid"
	Hello         string   // "Hello Ayu,"
	Sentence      string   // "Kopi has received a payment."
	Lines         []string // "Order: A-1042", …
	Why           string
	Reference     string // "A-1042"
	OrderID       string
	Amount        string
	Time          string
	Labels        labels
	Links         Links
	PreferencesAt string // with the address in it, for plain text; may be empty, as the next
	UnsubscribeAt string
}

// Write renders d in its tenant's language and its user's time.
func (w *Writer) Write(d mail.Due) (mail.Mail, error) {
	if d.Type == user.AddressConfirmation {
		return w.writeConfirmation(d)
	}
	if !d.Data.Status.Valid() {
		return mail.Mail{}, fmt.Errorf("write mail: there are no words for an order that is %q", d.Data.Status)
	}
	v := w.view(d)
	l := mail.Mail{
		MessageID: d.MessageID, To: d.Email, ToName: text.Line(d.Name), Unsubscribe: v.Links.Unsubscribe,
		Subject: w.words.For(d.Locale).Say("mail.subject", "headline", v.Headline, "amount", v.Amount, "tenant", v.Tenant),
	}
	return w.render(l, "order", v)
}

// render returns l with the text and HTML bodies from the templates of that name.
func (w *Writer) render(l mail.Mail, name string, v any) (mail.Mail, error) {
	var body bytes.Buffer
	if err := w.text.ExecuteTemplate(&body, name+".txt", v); err != nil {
		return mail.Mail{}, fmt.Errorf("write mail: %w", err)
	}
	l.Text = body.String()
	body.Reset()
	if err := w.html.ExecuteTemplate(&body, name+".html", v); err != nil {
		return mail.Mail{}, fmt.Errorf("write mail: %w", err)
	}
	l.HTML = body.String()
	return l, nil
}

func (w *Writer) view(d mail.Due) view {
	words := w.words.For(d.Locale)
	news := "mail." + string(d.Data.Status)
	v := view{
		Language: words.Language, Tenant: shown(d.TenantName), Reference: reference(d.Data), OrderID: d.Data.OrderID,
		Amount: words.Amount(d.Data.TotalAmount, d.Data.Currency), Time: words.Time(d.Data.Timestamp, d.TimeZone),
		Badge: words.Say(news + ".badge"), Tone: tone(d.Data.Status), Hello: words.Say("mail.hello.unnamed"), Links: w.links(d),
		Labels: labels{
			Order: words.Say("mail.label.order"), Time: words.Say("mail.label.time"), ID: words.Say("mail.label.id"),
			Unsubscribe: words.Say("mail.unsubscribe"), Preferences: words.Say("mail.preferences"),
		},
	}
	v.Headline = words.Say(news+".headline", "order", words.Say("mail.order", "reference", v.Reference))
	v.Sentence = words.Say(news+".sentence", "tenant", v.Tenant)
	v.Why = words.Say("mail.why", "tenant", v.Tenant)
	if name := shown(d.Name); name != "" {
		v.Hello = words.Say("mail.hello", "name", name)
	}
	for _, line := range [][2]string{{v.Labels.Order, v.Reference}, {words.Say("mail.label.amount"), v.Amount}, {v.Labels.Time, v.Time}} {
		v.Lines = append(v.Lines, line[0]+": "+line[1])
	}
	if v.Links.Preferences != "" {
		v.PreferencesAt = words.Say("mail.preferences.at", "url", v.Links.Preferences)
	}
	if v.Links.Unsubscribe != "" {
		v.UnsubscribeAt = words.Say("mail.unsubscribe.at", "url", v.Links.Unsubscribe)
	}
	return v
}

// tone is the colour class of a state: good, calm or bad.
func tone(s order.Status) string {
	switch s {
	case order.Submitted, order.Preparing:
		return "calm"
	case order.Cancelled, order.Refunded:
		return "bad"
	case order.Paid, order.Ready, order.Completed:
	}
	return "good"
}

// reference is the name of the order for users: its reference or, without one, the last digits of its id. The first
// digits of a UUIDv7 are its time, so they are similar for all orders of a day.
func reference(d event.Data) string {
	if r := shown(d.Reference); r != "" {
		return r
	}
	return "…" + d.OrderID[max(0, len(d.OrderID)-6):]
}

// shown returns a name for use in a sentence. Bidirectional text in it does not affect the text around it.
func shown(name string) string { return text.Isolate(text.Line(name)) }
