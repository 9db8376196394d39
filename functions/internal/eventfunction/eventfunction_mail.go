package eventfunction

import (
	"context"
	"errors"

	"orderbell/internal/delivery"
	"orderbell/internal/eventstore"
	"orderbell/internal/mailer"
	"orderbell/internal/ordermail"
	"orderbell/internal/service"
)

// Mail is all that brings e-mails out.
type Mail struct {
	Store   *eventstore.Store
	Courier *delivery.Courier
	Lines   int // how many letters may be on their way at once

	mailer *mailer.Mailer
}

// OpenMail connects delivery to the SMTP server and to the store that open returns for the domain of Message-IDs. Close
// it when no request is under way any more.
func OpenMail(s *service.Service, open func(mailDomain string) *eventstore.Store) (*Mail, error) {
	var server mailer.Config
	var patience delivery.Config
	if err := errors.Join(service.Load(&server), service.Load(&patience)); err != nil {
		return nil, err
	}
	domain, err := server.Domain()
	if err != nil {
		return nil, err
	}
	m := &Mail{Store: open(domain), Lines: server.MaxConns}
	if m.mailer, err = mailer.New(server); err != nil {
		return nil, err
	}
	writer, err := ordermail.New(nil) // no unsubscribe address before there is something at it
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
