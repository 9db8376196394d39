package mailer

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"net/url"
	"strings"

	"github.com/wneessen/go-mail"

	"orderbell/internal/letter"
	"orderbell/internal/optout"
)

// line is one of MaxConns places; its connection comes and goes.
type line struct {
	m    *Mailer
	conn *conn
	used bool // the connection is not fresh: the server may end it at any time for its own reasons
}

var _ letter.Line = (*line)(nil)

// Open implements [letter.Line].
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

// Send implements [letter.Line].
func (l *line) Send(ctx context.Context, written letter.Letter) error {
	msg, err := l.m.message(written)
	if err != nil {
		return &letter.SendError{Fate: letter.Refused, Err: err}
	}
	if err := l.Open(ctx); err != nil {
		return &letter.SendError{Fate: letter.Deferred, Err: err}
	}
	used := l.used
	failure, offered := l.attempt(ctx, msg)
	if failure != nil && used && !offered {
		// A kept connection that the server had ended. Nothing was said of the letter yet, so it may be said again.
		if err := l.Open(ctx); err != nil {
			return &letter.SendError{Fate: letter.Deferred, Err: err}
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
func (l *line) attempt(ctx context.Context, msg *mail.Msg) (failure *letter.SendError, offered bool) {
	err := l.conn.send(ctx, msg)
	l.used = true
	if err == nil || msg.IsDelivered() {
		l.m.worked()
		if err != nil || ctx.Err() != nil {
			l.dropConn()
		}
		return nil, true
	}
	var sent *mail.SendError
	if !errors.As(err, &sent) {
		l.dropConn()
		return &letter.SendError{Fate: letter.Deferred, Err: err}, false
	}
	failure = &letter.SendError{Fate: fate(sent), Code: sent.ErrorCode(), Err: tidy(err)}
	switch {
	case failure.Code == 0 && failure.Fate == letter.Refused: // not even tried
	case failure.Code == 0:
		l.dropConn()
		l.m.failed()
	case failure.Code == codeClosing || ctx.Err() != nil || !l.conn.clear(ctx, l.m.cfg):
		l.dropConn()
	}
	begun := sent.Reason != mail.ErrSMTPMailFrom && sent.Reason != mail.ErrConnCheck
	return failure, begun || (failure.Code != 0 && failure.Code != codeClosing)
}

func (l *line) dropConn() {
	l.conn.drop()
	l.conn = nil
}

// Close implements [letter.Line].
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

func fate(err *mail.SendError) letter.Fate {
	code := err.ErrorCode()
	switch {
	case code == codeNoLogin:
		return letter.Deferred // our configuration is wrong, and the letter waits until it is right
	case code >= 500:
		return letter.Refused
	case code >= 400:
		return letter.Deferred
	}
	switch err.Reason {
	case mail.ErrSMTPDataClose:
		return letter.Unknown
	case mail.ErrGetSender, mail.ErrGetRcpts, mail.ErrNoUnencoded:
		return letter.Refused
	case mail.ErrSMTPMailFrom, mail.ErrSMTPRcptTo, mail.ErrSMTPData, mail.ErrSMTPReset, mail.ErrWriteContent,
		mail.ErrConnCheck, mail.ErrAmbiguous:
		return letter.Deferred
	}
	return letter.Deferred
}

// tidy returns err in one line: it becomes a row's reason.
func tidy(err error) error { return errors.New(strings.Join(strings.Fields(err.Error()), " ")) }

// message builds the RFC 5322 message. Nothing in it can open a header of its own: addresses are parsed, and what
// holds a control character is refused here, whoever wrote it.
func (m *Mailer) message(l letter.Letter) (*mail.Msg, error) {
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
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
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
	msg.SetBodyString(mail.TypeTextPlain, l.Text)
	msg.AddAlternativeString(mail.TypeTextHTML, l.HTML)
	return msg, nil
}
