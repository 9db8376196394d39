package smtp

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

const (
	// tcpTimeout bounds the TCP handshake only.
	tcpTimeout = 30 * time.Second
	// aliveTimeout bounds the check of a kept connection; a new one is quicker than a long wait.
	aliveTimeout = 10 * time.Second
)

// conn is one authenticated connection to the server. It is used by one goroutine at a time.
type conn struct {
	client *gomail.Client
	smtp   *smtp.Client
	bound  *boundConn
	expiry *time.Timer // while idle
}

// dial connects, greets, encrypts and logs in, within ctx and ConnectTimeout.
func dial(ctx context.Context, cfg Config, s server) (_ *conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
	defer cancel()
	c, release := &conn{}, func() {}
	dialer := func(_ context.Context, network, address string) (net.Conn, error) {
		raw, err := (&net.Dialer{Timeout: tcpTimeout}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c.bound = &boundConn{Conn: raw}
		release = c.bound.within(ctx) // not by go-mail's context, which ends with the call
		if !s.implicitTLS {
			return c.bound, nil
		}
		secure := tls.Client(c.bound, s.tls)
		return secure, secure.HandshakeContext(ctx)
	}
	if c.client, err = gomail.NewClient(s.host, s.options(cfg, dialer)...); err == nil {
		c.smtp, err = c.client.DialToSMTPClientWithContext(ctx)
	}
	release()
	if err != nil {
		if c.bound != nil {
			c.drop() // go-mail forgets it
		}
		return nil, fmt.Errorf("connect to SMTP server %s: %w", s.address(), err)
	}
	c.smtp.SkipSMTPUTF8(true) // no address needs it, and a server on the way may lack it
	return c, nil
}

// alive checks that the server still accepts commands on the connection.
func (c *conn) alive(ctx context.Context, cfg Config) bool {
	ctx, cancel := context.WithTimeout(ctx, min(aliveTimeout, cfg.CommandTimeout))
	defer cancel()
	defer c.bound.within(ctx)()
	return c.smtp.Noop() == nil && ctx.Err() == nil
}

// send hands one message over. Each step has its own time (RFC 5321 §4.5.3.2). Until the message is complete, the end
// of ctx cancels it. After that it waits for the answer in any case, because giving up would mean sending the message
// again.
func (c *conn) send(ctx context.Context, cfg Config, msg *message) *failure {
	step := func(at stage, limit time.Duration, do func() error) *failure {
		ctx := ctx
		if at == atMessage {
			ctx = context.WithoutCancel(ctx)
		}
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		defer c.bound.within(ctx)()
		if err := do(); err != nil {
			return &failure{at: at, err: err}
		}
		return nil
	}
	if f := step(atMail, cfg.CommandTimeout, func() error { return c.smtp.Mail("<" + msg.from + ">") }); f != nil {
		return f
	}
	if f := step(atRcpt, cfg.CommandTimeout, func() error { return c.smtp.Rcpt("<" + msg.to + ">") }); f != nil {
		return f
	}
	var body io.WriteCloser
	if f := step(atData, cfg.CommandTimeout, func() (err error) {
		if body, err = c.smtp.Data(); err == nil {
			_, err = msg.content.WriteTo(body)
		}
		return err
	}); f != nil {
		return f
	}
	return step(atMessage, cfg.FinalTimeout, body.Close)
}

// clear resets the connection after a rejected message. It returns an error if that fails.
func (c *conn) clear(ctx context.Context, cfg Config) bool {
	ctx, cancel := context.WithTimeout(ctx, min(aliveTimeout, cfg.CommandTimeout))
	defer cancel()
	defer c.bound.within(ctx)()
	return c.smtp.Reset() == nil && ctx.Err() == nil
}

// quitTimeout bounds QUIT.
const quitTimeout = time.Second

// quit sends QUIT and closes the connection.
func (c *conn) quit() {
	ctx, cancel := context.WithTimeout(context.Background(), quitTimeout)
	defer cancel()
	defer c.bound.within(ctx)()
	_ = c.smtp.Quit() // the server may have closed it first
	_ = c.bound.Close()
}

// drop closes a connection that cannot be used any more.
func (c *conn) drop() { _ = c.bound.Close() }

// maxAnswer bounds what the server may send in one step, in bytes: certificates, extensions and answers need a few KiB. A
// line without an end would fill the memory.
const maxAnswer = 256 << 10

// errAnswer is the error of a server that sends too much.
var errAnswer = fmt.Errorf("the server's answer has more than %d bytes", maxAnswer)

// boundConn limits every deadline to that of a context, because go-mail sets its own deadlines and ignores contexts
// once it is connected. It also bounds what is read in one step.
type boundConn struct {
	net.Conn

	mu    sync.Mutex
	limit time.Time // zero: none
	left  int       // bytes that may be read in this step
}

// Read reads at most what is left of [maxAnswer].
func (b *boundConn) Read(p []byte) (int, error) {
	b.mu.Lock()
	left := b.left
	b.mu.Unlock()
	if left == 0 {
		return 0, errAnswer
	}
	n, err := b.Conn.Read(p[:min(len(p), left)])
	b.mu.Lock()
	b.left = max(0, b.left-n)
	b.mu.Unlock()
	return n, err
}

// SetDeadline sets t, or the context's deadline if that is sooner.
func (b *boundConn) SetDeadline(t time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.limit.IsZero() && (t.IsZero() || t.After(b.limit)) {
		t = b.limit
	}
	return b.Conn.SetDeadline(t)
}

// within bounds all calls on b by ctx until the returned function is called or within is called again. A connection
// whose context ended in between must be dropped.
func (b *boundConn) within(ctx context.Context) (release func()) {
	set := func(limit time.Time) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.limit = limit
		_ = b.Conn.SetDeadline(limit) // a closed connection fails on its next use
	}
	b.mu.Lock()
	b.left = maxAnswer
	b.mu.Unlock()
	deadline, _ := ctx.Deadline()
	set(deadline)
	stop := context.AfterFunc(ctx, func() { set(time.Unix(1, 0)) })
	return func() { stop() }
}
