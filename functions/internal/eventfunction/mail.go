package eventfunction

import (
	"context"
	"errors"
	"time"

	"orderbell/functions/internal/mail/delivery"
	"orderbell/functions/internal/mail/optout"
	"orderbell/functions/internal/mail/ordermail"
	"orderbell/functions/internal/mail/smtp"
	"orderbell/internal/mail"
	"orderbell/internal/service"
	"orderbell/internal/store/eventstore"
)

// Mail is all that brings e-mails out.
type Mail struct {
	Store   *eventstore.Store
	Courier *delivery.Courier
	Lines   int // how many letters may be on their way at once

	mailer *smtp.Mailer
}

// OpenMail connects delivery to the SMTP server and to the store that open returns for the domain of Message-IDs. Close
// it when no request is under way any more.
func OpenMail(s *service.Service, open func(mailDomain string) *eventstore.Store) (*Mail, error) {
	var server smtp.Config
	var patience delivery.Config
	var offers optout.Config
	if err := errors.Join(service.Load(&server), service.Load(&patience), service.Load(&offers)); err != nil {
		return nil, err
	}
	links, err := optout.New(offers)
	if err != nil {
		return nil, err
	}
	domain, err := server.Domain()
	if err != nil {
		return nil, err
	}
	m := &Mail{Store: open(domain), Lines: server.MaxConns}
	if m.mailer, err = smtp.New(server); err != nil {
		return nil, err
	}
	writer, err := ordermail.New(func(d mail.Due) ordermail.Links {
		return ordermail.Links{Unsubscribe: links.URL(d.Data.TenantID, d.UserID, d.ID, time.Now()), Preferences: links.Preferences()}
	})
	if err != nil {
		return nil, err
	}
	m.Courier, err = delivery.New(patience, m.Store, m.mailer, writer, s.Log, s.Meter)
	return m, err
}

// Close waits a while for letters on their way, and takes leave of the server.
func (m *Mail) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), behindTimeout)
	defer cancel()
	m.Courier.Drain(ctx)
	m.mailer.Close()
}
