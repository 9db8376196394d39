package ordermail

import (
	"errors"

	"orderbell/internal/mail"
)

// confirmView is the data of the confirmation templates. Every field is one line. It has no name: the inviting user
// chooses the name, and the address is not yet known to be the invited user's.
type confirmView struct {
	Language string // BCP 47
	Tenant   string
	Headline string
	Sentence string
	Button   string
	Link     string
	LinkAt   string // with the address in it, for plain text
	Until    string
	Why      string
}

// writeConfirmation renders the mail that asks for the confirmation of an address. It offers no way to unsubscribe, since without
// the confirmation no mail follows.
func (w *Writer) writeConfirmation(d mail.Due) (mail.Mail, error) {
	words, links, tenant := w.words.For(d.Locale), w.links(d), shown(d.TenantName)
	if links.Confirm == "" {
		return mail.Mail{}, errors.New("write mail: there is no link that confirms the address")
	}
	v := confirmView{
		Language: words.Language, Tenant: tenant, Link: links.Confirm,
		Headline: words.Say("mail.confirm.headline"),
		Sentence: words.Say("mail.confirm.sentence", "tenant", tenant, "email", d.Email),
		Button:   words.Say("mail.confirm.button"),
		LinkAt:   words.Say("mail.confirm.at", "url", links.Confirm),
		Until:    words.Say("mail.confirm.until", "time", words.Time(d.LinkEnds, d.TimeZone)),
		Why:      words.Say("mail.confirm.why", "tenant", tenant),
	}
	l := mail.Mail{MessageID: d.MessageID, To: d.Email, Subject: words.Say("mail.confirm.subject", "tenant", tenant)}
	return w.render(l, "confirm", v)
}
