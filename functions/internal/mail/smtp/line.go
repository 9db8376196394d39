package smtp

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"net/url"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"orderbell/functions/internal/mail/optout"
	"orderbell/internal/mail"
)

// line is one of MaxConns places; its connection comes and goes.
type line struct {
	m    *Mailer
	conn *conn
	used bool // the connection is not fresh: the server may end it at any time for its own reasons
}

var _ mail.Line = (*line)(nil)

// Open implements [mail.Line].
func (l *line) Open(ctx context.Context) error {
	for l.conn == nil {
		kept := l.m.take()
		if kept == nil {
			break
		}
		if kept.alive(ctx, l.m.cfg) {
			l.conn, l.used = kept, true
			return nil
		}
		kept.drop()
	}
	if l.conn != nil {
		return nil
	}
	c, err := dial(ctx, l.m.cfg, l.m.server)
	if err != nil {
		l.m.failed()
		return err
	}
	l.conn, l.used = c, false
	return nil
}

// Send implements [mail.Line].
func (l *line) Send(ctx context.Context, written mail.Mail) error {
	msg, err := l.m.message(written)
	if err != nil {
		return &mail.SendError{Fate: mail.Refused, Err: err}
	}
	if err := l.Open(ctx); err != nil {
		return &mail.SendError{Fate: mail.Deferred, Err: err}
	}
	used := l.used
	failure, offered := l.attempt(ctx, msg)
	if failure != nil && used && !offered {
		// A kept connection that the server had ended. Nothing was said of the letter yet, so it may be said again.
		if err := l.Open(ctx); err != nil {
			return &mail.SendError{Fate: mail.Deferred, Err: err}
		}
		failure, _ = l.attempt(ctx, msg)
	}
	if failure != nil {
		return failure
	}
	return nil
}

// attempt sends msg on the line's connection and drops the connection if it is of no more use. Offered says that the
// server has answered, or may have, to something of the letter itself.
func (l *line) attempt(ctx context.Context, msg *gomail.Msg) (failure *mail.SendError, offered bool) {
	err := l.conn.send(ctx, msg)
	l.used = true
	if err == nil || msg.IsDelivered() {
		l.m.worked()
		if err != nil || ctx.Err() != nil {
			l.dropConn()
		}
		return nil, true
	}
	var sent *gomail.SendError
	if !errors.As(err, &sent) {
		l.dropConn()
		return &mail.SendError{Fate: mail.Deferred, Err: err}, false
	}
	failure = &mail.SendError{Fate: fate(sent), Code: sent.ErrorCode(), Err: tidy(err)}
	switch {
	case failure.Code == 0 && failure.Fate == mail.Refused: // not even tried
	case failure.Code == 0:
		l.dropConn()
		l.m.failed()
	case failure.Code == codeClosing || ctx.Err() != nil || !l.conn.clear(ctx, l.m.cfg):
		l.dropConn()
	}
	begun := sent.Reason != gomail.ErrSMTPMailFrom && sent.Reason != gomail.ErrConnCheck
	return failure, begun || (failure.Code != 0 && failure.Code != codeClosing)
}

func (l *line) dropConn() {
	l.conn.drop()
	l.conn = nil
}

// Close implements [mail.Line].
func (l *line) Close() {
	if l.m == nil {
		return
	}
	if l.conn != nil {
		l.m.keep(l.conn)
	}
	<-l.m.slots
	l.m = nil
}

// Replies that are about the line, not the letter (RFC 5321, section 4.2.3; RFC 4954, section 6).
const (
	codeClosing = 421
	codeNoLogin = 530
)

func fate(err *gomail.SendError) mail.Fate {
	code := err.ErrorCode()
	switch {
	case code == codeNoLogin:
		return mail.Deferred // our configuration is wrong, and the letter waits until it is right
	case code >= 500:
		return mail.Refused
	case code >= 400:
		return mail.Deferred
	}
	switch err.Reason {
	case gomail.ErrSMTPDataClose:
		return mail.Unknown
	case gomail.ErrGetSender, gomail.ErrGetRcpts, gomail.ErrNoUnencoded:
		return mail.Refused
	case gomail.ErrSMTPMailFrom, gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPReset, gomail.ErrWriteContent,
		gomail.ErrConnCheck, gomail.ErrAmbiguous:
		return mail.Deferred
	}
	return mail.Deferred
}

// tidy returns err in one line: it becomes a row's reason.
func tidy(err error) error { return errors.New(strings.Join(strings.Fields(err.Error()), " ")) }

// message builds the RFC 5322 message. Nothing in it can open a header of its own: addresses are parsed, and what
// holds a control character is refused here, whoever wrote it.
func (m *Mailer) message(l mail.Mail) (*gomail.Msg, error) {
	for name, value := range map[string]string{
		"subject": l.Subject, "recipient's name": l.ToName, "Message-ID": l.MessageID, "unsubscribe address": l.Unsubscribe,
	} {
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, fmt.Errorf("the letter's %s contains a control character", name)
		}
	}
	to, err := netmail.ParseAddress(l.To)
	if err != nil || to.Address != l.To || to.Name != "" {
		return nil, fmt.Errorf("%q is not an e-mail address", l.To)
	}
	to.Name = l.ToName
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(&m.from)
	msg.ToMailAddress(to)
	msg.Subject(l.Subject)
	msg.SetDate()
	msg.SetMessageIDWithValue(l.MessageID)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office replies
	if l.Unsubscribe != "" {
		address, err := url.Parse(l.Unsubscribe)
		if err != nil || !optout.Safe(address) {
			return nil, fmt.Errorf("%q is no unsubscribe address", l.Unsubscribe)
		}
		msg.SetListUnsubscribe(address.String())
		msg.SetListUnsubscribePost()
	}
	msg.SetBodyString(gomail.TypeTextPlain, l.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, l.HTML)
	return msg, nil
}
