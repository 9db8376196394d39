package eventfunction

import (
	"context"
	"time"

	"orderbell/functions/internal/mail/delivery"
	"orderbell/functions/internal/mail/optout"
	"orderbell/functions/internal/mail/ordermail"
	"orderbell/functions/internal/mail/smtp"
	"orderbell/internal/mail"
	"orderbell/internal/service"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/user"
)

// Mail holds the parts that send mails.
type Mail struct {
	Store   *eventstore.Store
	Courier *delivery.Courier
	Lines   int // how many mails may be in flight at once

	mailer *smtp.Mailer
}

// MailConfig configures the sending of mails.
type MailConfig struct {
	Server   smtp.Config
	Delivery delivery.Config
	Links    optout.Config
	Limits   user.DefaultLimits
}

// OpenMail connects delivery to the SMTP server and to the store that open returns for the domain of Message-IDs. Close
// it when no request is under way any more.
func OpenMail(s *service.Service, cfg MailConfig, open func(mailDomain string) *eventstore.Store) (*Mail, error) {
	cfg.Delivery.MailsPerHour, cfg.Delivery.MaxInvitations, cfg.Delivery.Lines = cfg.Limits.MailsPerHour, cfg.Limits.MaxInvitations, cfg.Server.MaxConns
	links, err := optout.New(cfg.Links)
	if err != nil {
		return nil, err
	}
	domain, err := cfg.Server.Domain()
	if err != nil {
		return nil, err
	}
	m := &Mail{Store: open(domain), Lines: cfg.Server.MaxConns}
	if m.mailer, err = smtp.New(cfg.Server); err != nil {
		return nil, err
	}
	writer, err := ordermail.New(func(d mail.Due) ordermail.Links {
		if d.Type == user.AddressConfirmation {
			confirm, _ := links.ConfirmURL(d.TenantID, d.UserID, d.Email, d.LinkEnds) // a user's id is a UUID
			return ordermail.Links{Confirm: confirm}
		}
		return ordermail.Links{Unsubscribe: links.URL(d.TenantID, d.UserID, d.ID, time.Now()), Preferences: links.Preferences()}
	})
	if err != nil {
		return nil, err
	}
	if m.Courier, err = delivery.New(cfg.Delivery, m.Store, m.mailer, writer, s.Log, s.Meter); err != nil {
		return nil, err
	}
	s.Report(service.Detail{Name: "mail", Say: m.Courier.Trouble})
	return m, nil
}

// Close waits for mails in flight, and closes the connections to the server. A server that has a complete message may take
// SMTP_FINAL_TIMEOUT for its answer. Kubernetes gives the program that time by the timeoutSeconds of its Service.
func (m *Mail) Close(ctx context.Context) {
	m.Courier.Drain(context.WithoutCancel(ctx))
	m.mailer.Close()
}
