package smtp

import (
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"strings"

	"orderbell/internal/mail"
	"orderbell/internal/text"
)

// line is one of MaxConns places. Its connection may be replaced.
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
		code, _ := reply(err)
		return &mail.SendError{Fate: mail.Held, Code: code, Sender: true, Err: tidy(err)}
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
		return err
	}
	used := l.used
	failed, offered := l.attempt(ctx, msg)
	if failed != nil && used && !offered {
		// The server had closed the kept connection. It has not seen the mail, so it can be sent again.
		if err := l.Open(ctx); err != nil {
			return err
		}
		failed, _ = l.attempt(ctx, msg)
	}
	if failed != nil {
		return failed
	}
	return nil
}

// attempt sends msg on the line's connection and drops the connection if it cannot be used any more. offered reports
// whether the server may have received a part of the mail.
func (l *line) attempt(ctx context.Context, msg *message) (_ *mail.SendError, offered bool) {
	f := l.conn.send(ctx, l.m.cfg, msg)
	l.used = true
	if f == nil {
		l.m.worked()
		if ctx.Err() != nil {
			l.dropConn()
		}
		return nil, true
	}
	code, said := reply(f.err)
	v := judge(f.at, code, said)
	failed := &mail.SendError{
		Fate: v.fate, Code: code, NoMailbox: v.noMailbox, Sender: v.fate == mail.Held && f.at == atMail,
		Err: tidy(fmt.Errorf("%s: %w", f.at, f.err)),
	}
	switch {
	case code == 0:
		l.dropConn()
		l.m.failed()
	case code == codeClosing || ctx.Err() != nil || !l.conn.clear(ctx, l.m.cfg):
		l.dropConn()
	}
	return failed, f.at != atMail || (code != 0 && code != codeClosing)
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

// tidy returns err as one line of UTF-8 without control characters, for the reason in a row, for logs and for terminals.
func tidy(err error) error {
	said := err.Error()
	var answer *textproto.Error
	if errors.As(err, &answer) { // the server's own words, not as a Go program quotes them
		said = strings.Replace(said, answer.Error(), fmt.Sprintf("%03d %s", answer.Code, answer.Msg), 1)
	}
	return errors.New(text.Line(strings.ToValidUTF8(said, "\uFFFD")))
}
